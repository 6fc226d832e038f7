"""Start-up: help and TAB completion are quick, and complete."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA, HEAVY, modules_loaded_by, run_weightkit, write_files_to_load

from weightkit import __version__

MAIN = "import sys; from weightkit.cli import main; sys.argv[0] = 'weightkit'; main()"
COMMANDS = ["show", "diff", "load", "scale", "reinitialize", "cast", "strip", "drop", "restore", "salvage"]


def complete(line: str, shell: str = "bash", **options: object) -> subprocess.CompletedProcess[str]:
    """Ask for completions as a shell does when TAB is pressed at the end of ``line``."""
    words = line.split(" ")
    asked = {
        "_WEIGHTKIT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }
    command = [sys.executable, "-m", "weightkit"]
    return subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True, **options)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], [], ["scale"], ["strip"], ["show", "-h"], *([name, "--help"] for name in COMMANDS[1:])],
)
def test_help_and_mistakes_load_nothing_heavy(arguments):
    assert modules_loaded_by(MAIN, *arguments) == set()


@pytest.mark.parametrize("line", ["weightkit ", "weightkit sc", "weightkit scale --", "weightkit scale --fac"])
def test_completion_loads_nothing_heavy(line, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys\n"
        f"loaded = lambda: [name for name in {HEAVY!r} if name in sys.modules]\n"
        "atexit.register(lambda: open(os.environ['LOADED'], 'w').write(' '.join(loaded())))\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "LOADED": str(tmp_path / "loaded")}
    words = {"_WEIGHTKIT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "weightkit"],
        env=os.environ | environment | words,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    assert (tmp_path / "loaded").read_text() == ""


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("weightkit ", COMMANDS),
        ("weightkit sc", ["scale"]),
        ("weightkit scale --fa", ["--factor"]),
        ("weightkit scale --ex", ["--exclude"]),
        ("weightkit scale model.h5 --dry", ["--dry-run"]),
        ("weightkit show model.h5 --st", ["--stats"]),
        ("weightkit reinit model.h5 --see", ["--seed"]),
        ("weightkit diff a.h5 b.h5 --rt", ["--rtol"]),
        ("weightkit diff a.h5 b.h5 --match ", ["auto", "name", "structure", "order", "shape"]),
        ("weightkit cast model.h5 --t", ["--to"]),
        ("weightkit strip model.h5 --ver", ["--verify"]),
        ("weightkit drop model.h5 --wh", ["--where"]),
        ("weightkit nothing", []),
    ],
)
def test_tab_completes_commands_and_options(line, completions):
    assert complete(line).stdout.split() == completions


def test_tab_completes_in_zsh_too():
    assert "scale" in complete("weightkit sc", "zsh").stdout
    assert "--factor" in complete("weightkit scale --fac", "zsh").stdout


def test_the_version_is_printed():
    done = run_weightkit("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"weightkit {__version__}\n", "")


def test_no_arguments_at_all_show_the_help():
    bare, asked = run_weightkit(), run_weightkit("--help")
    assert (bare.returncode, bare.stdout) == (0, asked.stdout)
    assert all(f"\n  {command} " in asked.stdout for command in COMMANDS)


def test_every_command_is_tried_here():
    listed = run_weightkit("--help").stdout.split("Commands:\n")[1]
    assert re.findall(r"^  (\w+)", listed, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_page_fits_eighty_columns_but_for_its_examples(command):
    text = run_weightkit(command, "--help", env=os.environ | {"COLUMNS": "80"}).stdout
    long = [line for line in text.splitlines() if len(line) > 80]
    assert all(line.strip().startswith("weightkit ") for line in long)


def examples(command: str) -> list[str]:
    text = run_weightkit(command, "--help").stdout
    block = text.split("Examples:\n")[1].split("\n\n")[0]
    return [line.strip() for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_a_help_page_runs(command, tmp_path):
    found = examples(command)
    assert len(found) >= 2
    for number, example in enumerate(found):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("model.h5", "model.h5.bak"):
            shutil.copyfile(DATA / "keras20_optimizer.h5", folder / name)
        shutil.copyfile(DATA / "keras315_nested.keras", folder / "model.keras")
        shutil.copyfile(DATA / "keras315_float16.weights.h5", folder / "model.weights.h5")
        write_files_to_load(folder)
        program, *arguments = shlex.split(example)
        assert (program, arguments[0]) == ("weightkit", command)
        done = run_weightkit(*arguments, cwd=folder)
        assert done.returncode == 0, f"{example}: {done.stderr}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_explained(command):
    options = run_weightkit(command, "--help").stdout.split("Options:\n")[1]
    entries = re.split(r"\n  (?=-)", "\n" + options.rstrip())[1:]
    assert all(re.search(r"  +\S|\n +\S", entry) for entry in entries)
    assert any("--json" in entry for entry in entries)


def test_the_console_script_is_the_command_line():
    script = shutil.which("weightkit", path=Path(sys.executable).parent)
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"weightkit {__version__}\n"

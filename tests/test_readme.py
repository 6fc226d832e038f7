"""Every command and every Python example of the README runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA, run_weightkit, write_files_to_load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COPIES = {
    "model.h5": "keras23_nested.h5",
    "model.keras": "keras315_nested.keras",
    "model.weights.h5": "keras315_float16.weights.h5",
    "model.h5.bak": "keras23_nested.h5",
    "other.weights.h5": "keras315_float16.weights.h5",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ").partition("  #")[0] for line in lines if line.startswith(f"$ {program}")]


def copy_files(folder: Path) -> None:
    """The files that commands and examples name."""
    for name, golden in COPIES.items():
        shutil.copyfile(DATA / golden, folder / name)
    write_files_to_load(folder)


@pytest.fixture
def folder(tmp_path):
    copy_files(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", commands("weightkit"))
def test_every_command_of_the_readme_runs(command, folder):
    done = run_weightkit(*shlex.split(command)[1:], cwd=folder)
    assert done.returncode == 0, done.stderr


PLAIN = [block for block in blocks("python") if "import keras" not in block]
WITH_KERAS = [block for block in blocks("python") if "import keras" in block]
RUN_EACH = """
import json, os, sys, traceback, keras
failures = []
for folder, block in json.loads(sys.stdin.read()):
    os.chdir(folder)
    keras.utils.clear_session()  # as if it were the first in its process
    try:
        exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    except BaseException:
        failures.append(traceback.format_exc())
    else:
        failures.append("")
print(json.dumps(failures))
"""


@pytest.mark.parametrize("block", PLAIN)
def test_every_python_example_without_keras_runs(block, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> list[str]:
    """How each example with Keras failed, or the empty text: one process for all, since Keras takes 6 seconds."""
    folders = [tmp_path_factory.mktemp("example") for _ in WITH_KERAS]
    for folder in folders:
        copy_files(folder)
    work = json.dumps(list(zip(map(str, folders), WITH_KERAS, strict=True)))
    done = subprocess.run([sys.executable, "-c", RUN_EACH], input=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("number", range(len(WITH_KERAS)))
def test_every_python_example_with_keras_runs(number, failures):
    assert failures[number] == "", WITH_KERAS[number]


def test_the_readme_has_commands_and_python_examples():
    assert len(commands("weightkit")) >= 5
    assert blocks("python")


def test_the_readme_opens_with_the_two_commands_that_do_everything():
    assert [command.split()[0] for command in commands("")][:2] == ["scripts/demo", "scripts/test"]


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/test"])
def test_the_scripts_of_the_readme_can_be_run(script):
    assert (ROOT / script).stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize(
    "command",
    ["show", "diff", "load", "scale", "reinitialize", "cast", "strip", "drop", "restore", "salvage"],
)
def test_the_readme_names_every_option(command):
    usage = run_weightkit(command, "--help").stdout
    options = set(re.findall(r"--[a-z-]+", usage)) - {"--help", "--output"}  # -o stands for the long one
    assert {option for option in options if option not in README} == set()

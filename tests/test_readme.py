"""Every command and every Python example of the README runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA, run_weightkit

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


@pytest.fixture
def folder(tmp_path):
    for name, golden in COPIES.items():
        shutil.copyfile(DATA / golden, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("command", commands("weightkit"))
def test_every_command_of_the_readme_runs(command, folder):
    done = run_weightkit(*shlex.split(command)[1:], cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("python"))
def test_every_python_example_of_the_readme_runs(block, folder):
    strict = () if "import keras" in block else ("-W", "error")  # Keras' own warnings are not ours
    command = [sys.executable, *strict, "-c", block]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_has_commands_and_python_examples():
    assert len(commands("weightkit")) >= 5
    assert blocks("python")


def test_the_readme_opens_with_the_two_commands_that_do_everything():
    assert [command.split()[0] for command in commands("")][:2] == ["scripts/demo", "scripts/test"]


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/test"])
def test_the_scripts_of_the_readme_can_be_run(script):
    assert (ROOT / script).stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize("command", ["show", "diff", "scale", "reinitialize", "cast", "strip", "drop", "restore"])
def test_the_readme_names_every_option(command):
    usage = run_weightkit(command, "--help").stdout
    options = set(re.findall(r"--[a-z-]+", usage)) - {"--help", "--output"}  # -o stands for the long one
    assert {option for option in options if option not in README} == set()

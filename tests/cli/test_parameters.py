"""The command line and the library take the same: every command's options are its function's parameters."""

from __future__ import annotations

import inspect

import pytest
import typer.main

import weightkit
from weightkit.cli.app import app

COMMAND = typer.main.get_command(app)
NAMES = ["show", "diff", "load", "scale", "reinitialize", "cast", "strip", "drop", "restore", "salvage"]
PYTHON = {"file": "target", "force": "overwrite", "no_backup": "backup"}
COMMAND_ONLY = {"json", "help", "listed", "suggest"}
"""How a result is printed; `restore --list` is `list_backups`, and `load --suggest` is `suggest`."""
LIBRARY_ONLY = {"progress"}
FUNCTIONS = {"load": weightkit.load_weights}
"""Of commands with a shorter name."""
RESIZING = {"new_rows", "seed", "positions"}
"""Options of `load` that are one argument of its function."""


def parameters(name):
    return {option.name: option for option in COMMAND.commands[name].params if option.name not in COMMAND_ONLY}


def function_of(name):
    return inspect.signature(FUNCTIONS.get(name) or getattr(weightkit, name)).parameters


def argument(name, option):
    return "resizing" if name == "load" and option in RESIZING else PYTHON.get(option, option)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_takes_what_its_function_takes(name):
    known = {argument(name, option) for option in parameters(name)}
    assert known == set(function_of(name)) - LIBRARY_ONLY


@pytest.mark.parametrize("name", NAMES)
def test_what_may_be_left_out_means_the_same(name):
    for option, known in parameters(name).items():
        default = function_of(name)[argument(name, option)].default
        default = getattr(default, option) if argument(name, option) == "resizing" else default
        expected = not default if option == "no_backup" else default
        assert known.required or (known.default or None) == (expected or None), option


def test_every_command_that_is_listed_has_a_function():
    assert [name for name, command in COMMAND.commands.items() if not command.hidden] == NAMES


def test_reinit_is_short_for_reinitialize():
    assert [name for name, command in COMMAND.commands.items() if command.hidden] == ["reinit"]
    assert {option.name for option in COMMAND.commands["reinit"].params} == {
        option.name for option in COMMAND.commands["reinitialize"].params
    }

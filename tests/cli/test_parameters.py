"""The command line and the library take the same: every command's options are its function's parameters."""

from __future__ import annotations

import inspect

import pytest
import typer.main

import weightkit
from weightkit.cli.app import app

COMMAND = typer.main.get_command(app)
NAMES = ["show", "diff", "scale", "reinitialize", "cast", "strip", "drop", "restore", "salvage"]
PYTHON = {"file": "target", "force": "overwrite", "no_backup": "backup"}
COMMAND_ONLY = {"json", "help", "listed"}
"""How a result is printed; `restore --list` is `list_backups`."""
LIBRARY_ONLY = {"progress"}


def parameters(name):
    return {option.name: option for option in COMMAND.commands[name].params if option.name not in COMMAND_ONLY}


@pytest.mark.parametrize("name", NAMES)
def test_a_command_takes_what_its_function_takes(name):
    known = {PYTHON.get(option, option) for option in parameters(name)}
    assert known == set(inspect.signature(getattr(weightkit, name)).parameters) - LIBRARY_ONLY


@pytest.mark.parametrize("name", NAMES)
def test_what_may_be_left_out_means_the_same(name):
    function = inspect.signature(getattr(weightkit, name)).parameters
    for option, known in parameters(name).items():
        default = function[PYTHON.get(option, option)].default
        expected = not default if option == "no_backup" else default
        assert known.required or (known.default or None) == (expected or None), option


def test_every_command_that_is_listed_has_a_function():
    assert [name for name, command in COMMAND.commands.items() if not command.hidden] == NAMES


def test_reinit_is_short_for_reinitialize():
    assert [name for name, command in COMMAND.commands.items() if command.hidden] == ["reinit"]
    assert {option.name for option in COMMAND.commands["reinit"].params} == {
        option.name for option in COMMAND.commands["reinitialize"].params
    }

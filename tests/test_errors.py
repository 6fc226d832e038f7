"""The tree of errors: what the docstring draws is what there is."""

from __future__ import annotations

import inspect
import re

import pytest

from weightkit import errors
from weightkit.cli.main import _CODES

CLASSES = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if thing.__module__ == errors.__name__]


def drawn_tree() -> dict[str, str | None]:
    """Each class of the drawing, with its parent."""
    around: dict[int, str] = {}
    tree: dict[str, str | None] = {}
    for line in errors.__doc__.split("```")[1].strip().splitlines():
        branch, name = re.match(r"([│├└─ ]*)(\w+)", line).groups()
        level = len(branch) // 4
        around[level] = name
        tree[name] = around[level - 1] if level else None
    return tree


def test_the_drawing_is_the_class_tree():
    parents = {thing.__name__: thing.__base__.__name__ for thing in CLASSES}
    parents["WeightkitError"] = None
    assert drawn_tree() == parents


def test_every_error_is_an_exception_and_not_a_system_exit():
    assert issubclass(errors.WeightkitError, Exception)


@pytest.mark.parametrize("error", [thing for thing in CLASSES if thing is not errors.WeightkitError])
def test_every_error_has_an_exit_code(error):
    assert sum(issubclass(error, family) for family in _CODES) == 1


def test_an_error_says_file_problem_and_hint_in_one_line():
    error = errors.RequestError("it is wrong", hint="hint it", file="a.h5")
    assert str(error) == "a.h5: it is wrong — hint it"
    assert str(errors.RequestError("it is wrong")) == "it is wrong"


def test_an_error_is_about_the_file_that_was_named_first():
    error = errors.RequestError("it is wrong")
    assert error.about("inner.h5") is error
    assert error.about("outer.h5").file == "inner.h5"

"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import weightkit

MODULES = [
    module.name
    for module in pkgutil.walk_packages(weightkit.__path__, "weightkit.")
    if module.name not in {"weightkit.__main__", "weightkit.access.files.child"}
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_modules_docstrings_gives_what_it_says(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


def test_there_are_examples_and_each_is_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {
        example.name for name in MODULES for example in finder.find(importlib.import_module(name)) if example.examples
    }
    assert {"weightkit.escape.escape", "weightkit.transforms.scale.scale"} <= found

"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

pytestmark = pytest.mark.every_backend

KERAS_ROOMS = [name for name in ("weightkit.layers", "weightkit.training") if importlib.util.find_spec(name)]


def modules_below(package):
    """All modules below a package, less what imports Keras: no room of Keras is entered."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if module.name not in {*KERAS_ROOMS, "weightkit.__main__", "weightkit.access.hdf5.child.main"}:
            yield module.name
            if module.ispkg:
                yield from modules_below(module.name)


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        rooms = KERAS_ROOMS if metafunc.config.getoption("--backend") else ["weightkit"]
        metafunc.parametrize("name", [name for room in rooms for name in (room, *modules_below(room))])


def test_every_example_in_a_modules_docstrings_gives_what_it_says(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


def test_there_are_examples_and_each_is_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {
        example.name
        for name in modules_below("weightkit")
        for example in finder.find(importlib.import_module(name))
        if example.examples
    }
    assert {"weightkit.escape.escape", "weightkit.transforms.scale.scale"} <= found

"""A layer that saves all its own weights but one, which it takes from elsewhere."""

from __future__ import annotations

import functools
from typing import Any

import keras


def save_without(owner: Any, variable: Any) -> None:
    """Take a variable out of a layer: out of its weights, its files and its memory.

    The variable stays the layer's attribute, since the layer looks its value up by it.
    """
    owner._untrack_variable(variable)  # noqa: SLF001
    owner.save_own_variables = functools.partial(_save, owner, variable)
    owner.load_own_variables = functools.partial(_load, owner, variable)
    _empty(variable)


def own_variables(layer: Any) -> dict[str, Any]:
    """What a layer's class saves, by key: what `save_without` took out is among it."""
    record: dict[str, Any] = {}
    type(layer).save_own_variables(layer, record)
    return record


def _save(owner: Any, variable: Any, store: Any) -> None:
    for key, value in _numbered(owner, variable).items():
        store[key] = value


def _load(owner: Any, variable: Any, store: Any) -> None:
    """By the class's own keys: its own way would count what the file rightly lacks."""
    for key, value in _numbered(owner, variable).items():
        value.assign(store[key])


def _numbered(owner: Any, variable: Any) -> dict[str, Any]:
    """The variables that are left, numbered without a gap."""
    left = [value for value in own_variables(owner).values() if value is not variable]
    return {str(number): value for number, value in enumerate(left)}


def _empty(variable: Any) -> None:
    variable._value = None  # noqa: SLF001  # the scope that the layer is called in has a value for it
    variable._initializer = keras.initializers.Zeros()  # noqa: SLF001  # what Keras shows of one without a value

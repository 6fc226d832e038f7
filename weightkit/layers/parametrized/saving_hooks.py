"""Save and load a layer without one of its weights, whose value comes from another layer."""

from __future__ import annotations

import functools
from typing import Any

import keras


def save_without(owner: Any, variable: Any) -> None:
    """Remove a variable from a layer's weights and files, and delete its value.

    It stays the layer's attribute, since the layer's ``call`` reads it.
    """
    owner._untrack_variable(variable)  # noqa: SLF001
    owner.save_own_variables = functools.partial(_save, owner, variable)
    owner.load_own_variables = functools.partial(_load, owner, variable)
    _empty(variable)


def saved_variables(layer: Any) -> dict[str, Any]:
    """What a layer's class saves, by key, including what `save_without` removed."""
    record: dict[str, Any] = {}
    # The method of the class: that of the object may be the hook that calls this.
    type(layer).save_own_variables(layer, record)
    return record


def _save(owner: Any, variable: Any, store: Any) -> None:
    for key, value in _numbered(owner, variable).items():
        store[key] = value


def _load(owner: Any, variable: Any, store: Any) -> None:
    """Load by number; the class's own method would expect the variable that the file does not have."""
    for key, value in _numbered(owner, variable).items():
        value.assign(store[key])


def _numbered(owner: Any, variable: Any) -> dict[str, Any]:
    """The variables without the removed one, numbered without a gap."""
    left = [value for value in saved_variables(owner).values() if value is not variable]
    return {str(number): value for number, value in enumerate(left)}


def _empty(variable: Any) -> None:
    variable._value = None  # noqa: SLF001  # the StatelessScope of the call has a value for it
    variable._initializer = keras.initializers.Zeros()  # noqa: SLF001  # Keras 3.15 shows a variable without a value by it

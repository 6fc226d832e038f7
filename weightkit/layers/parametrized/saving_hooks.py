"""Save and load a layer without some of its weights, whose values come from another layer."""

from __future__ import annotations

import functools
from typing import Any

import keras


def save_without(owner: Any, variable: Any) -> None:
    """Remove a variable from a layer's weights and files, and delete its value.

    It stays the layer's attribute, since the layer's ``call`` reads it.
    """
    owner._untrack_variable(variable)  # noqa: SLF001
    earlier = getattr(owner.save_own_variables, "keywords", {}).get("removed", ())
    removed = (*earlier, variable)
    owner.save_own_variables = functools.partial(_save, owner, removed=removed)
    owner.load_own_variables = functools.partial(_load, owner, removed=removed)
    _empty(variable)


def saved_variables(layer: Any) -> dict[str, Any]:
    """What a layer's class saves, by key, including what `save_without` removed."""
    record: dict[str, Any] = {}
    # The method of the class: that of the object may be the hook that calls this.
    type(layer).save_own_variables(layer, record)
    return record


def _save(owner: Any, store: Any, *, removed: tuple[Any, ...]) -> None:
    for key, value in _numbered(owner, removed).items():
        store[key] = value


def _load(owner: Any, store: Any, *, removed: tuple[Any, ...]) -> None:
    """Load by number; the class's own method would expect the variables that the file does not have."""
    for key, value in _numbered(owner, removed).items():
        value.assign(store[key])


def _numbered(owner: Any, removed: tuple[Any, ...]) -> dict[str, Any]:
    """The variables without the removed ones, numbered without a gap."""
    gone = {id(variable) for variable in removed}
    left = [value for value in saved_variables(owner).values() if id(value) not in gone]
    return {str(number): value for number, value in enumerate(left)}


def _empty(variable: Any) -> None:
    variable._value = None  # noqa: SLF001  # the StatelessScope of the call has a value for it
    variable._initializer = keras.initializers.Zeros()  # noqa: SLF001  # Keras 3.15 shows a variable without a value by it

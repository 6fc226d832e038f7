"""The attributes of objects that a first training step builds or swaps, kept and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTAINERS = (list, dict, set)
_ENTERED = ("keras.src.trainers.compile_utils", "keras.src.utils.tracking", "keras.src.metrics", "keras.src.optimizers")
"""Modules of Keras whose objects hold state of training; variables, layers and functions are not entered."""


class ObjectStates:
    """What objects hold now: which things, not the values of variables.

    Keras builds optimizers, losses and metrics when they first meet data. To undo that, each object gets its
    attributes back as they were, and each list, dictionary and set in them its members.
    """

    def __init__(self, deep: Iterable[Any], shallow: Iterable[Any]) -> None:
        """Look at objects.

        Args:
            deep: Those to keep with all that they hold of Keras' own training objects.
            shallow: Those of which only the attributes themselves are kept: models, which hold everything.
        """
        self._attributes: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._members: dict[int, tuple[Any, Any]] = {}
        for thing in shallow:
            self._attributes[id(thing)] = (thing, dict(vars(thing)))
        for thing in deep:
            self._enter(thing)

    def put_back(self) -> None:
        """Give all of them what they had."""
        for thing, attributes in self._attributes.values():
            held = vars(thing)  # past __setattr__, which would track again what is tracked
            for name in held.keys() - attributes.keys():
                del held[name]
            held.update(attributes)
        for container, members in self._members.values():
            _refill(container, members)

    def _enter(self, thing: Any) -> None:
        waiting = [thing]
        while waiting:
            one = waiting.pop()
            if isinstance(one, _CONTAINERS):
                if id(one) not in self._members:
                    self._members[id(one)] = (one, _members(one))
                    waiting.extend(one.values() if isinstance(one, dict) else one)
            elif isinstance(one, tuple):
                waiting.extend(one)
            elif id(one) not in self._attributes and (one is thing or _holds_state(one)):
                self._attributes[id(one)] = (one, dict(vars(one)))
                waiting.extend(vars(one).values())


def _members(container: Any) -> Any:
    kinds = (kind for kind in _CONTAINERS if isinstance(container, kind))
    return next(kinds)(container)


def _holds_state(thing: Any) -> bool:
    return hasattr(thing, "__dict__") and any(kind.__module__.startswith(_ENTERED) for kind in type(thing).__mro__)


def _refill(container: Any, members: Any) -> None:
    """By the plain methods: Keras' own containers track what goes in and out.

    TensorFlow wraps the lists and dictionaries of what it may save, and compares them with how it saw them last.
    """
    inner = getattr(container, "__wrapped__", container)
    if _same(container, members):
        return
    if isinstance(container, dict):
        dict.clear(inner)
        dict.update(inner, members)
    elif isinstance(container, set):
        set.clear(inner)
        set.update(inner, members)
    else:
        for one in (inner, getattr(container, "_storage", inner)):
            list.__setitem__(one, slice(None), members)
    getattr(container, "_update_snapshot", tuple)()


def _same(container: Any, members: Any) -> bool:
    """Whether it holds the very same things; nothing is asked whether it equals another."""
    if isinstance(container, set):
        return set.__eq__(container, members)  # of numbers and names
    first, second = (
        [part for item in one.items() for part in item] if isinstance(one, dict) else list(one)
        for one in (container, members)
    )
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))

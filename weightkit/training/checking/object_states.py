"""The attributes of objects that a first training step builds or replaces, saved and restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONTAINERS = (list, dict, set)
_ENTERED = ("keras.src.trainers.compile_utils", "keras.src.utils.tracking", "keras.src.metrics", "keras.src.optimizers")
"""Modules of Keras whose objects have training state; variables, layers and functions are not entered."""


class ObjectStates:
    """Which attributes objects have now, and which members their lists have; not the values of variables.

    Keras builds optimizers, losses and metrics when they first get data. To undo that, each object gets its earlier
    attributes back, and each list, dictionary and set in them its earlier members.
    """

    def __init__(self, deep: Iterable[Any], shallow: Iterable[Any]) -> None:
        """Save the attributes of objects.

        Args:
            deep: Objects to save with all of Keras' training objects in them.
            shallow: Objects of which only the attributes themselves are saved: models, which contain everything.
        """
        self._attributes: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._members: dict[int, tuple[Any, Any]] = {}
        for thing in shallow:
            self._attributes[id(thing)] = (thing, dict(vars(thing)))
        for thing in deep:
            self._enter(thing)

    def put_back(self) -> None:
        """Restore all of them; it may be called several times."""
        for thing, attributes in self._attributes.values():
            present = vars(thing)  # not through __setattr__, which would track the objects a second time
            for name in present.keys() - attributes.keys():
                del present[name]
            present.update(attributes)
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
            elif id(one) not in self._attributes and (one is thing or _has_training_state(one)):
                self._attributes[id(one)] = (one, dict(vars(one)))
                waiting.extend(vars(one).values())


def _members(container: Any) -> Any:
    kinds = (kind for kind in _CONTAINERS if isinstance(container, kind))
    return next(kinds)(container)


def _has_training_state(thing: Any) -> bool:
    return hasattr(thing, "__dict__") and any(kind.__module__.startswith(_ENTERED) for kind in type(thing).__mro__)


def _refill(container: Any, members: Any) -> None:
    """Restore the members of a container, by the methods of ``list``, ``dict`` and ``set``.

    The methods of Keras' own containers track every change. TensorFlow wraps lists and dictionaries of objects that it
    may save, and refuses to save one that changed behind the wrapper: its record is updated too.
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
        # TensorFlow's wrapper of a list has the members twice: as a list itself, and in `_storage`.
        for one in (inner, getattr(container, "_storage", inner)):
            list.__setitem__(one, slice(None), members)
    # `tuple` is for containers that have no such method: calling it does nothing.
    getattr(container, "_update_snapshot", tuple)()


def _same(container: Any, members: Any) -> bool:
    """Whether it has the same members by identity; ``==`` of a tensor has no truth value."""
    if isinstance(container, set):
        return set.__eq__(container, members)  # sets have only numbers and names
    first, second = (
        [part for item in one.items() for part in item] if isinstance(one, dict) else list(one)
        for one in (container, members)
    )
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))

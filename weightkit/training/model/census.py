"""The models that are alive, found by looking at every object that Python can collect.

Keras has no list of models. Looking at all objects takes about 20 ms beside TensorFlow, and finds models that were made
before weightkit was imported. Python's collector moves objects that survive it from the young generations to the oldest
one, and counts how often it did: as long as it has not, only the young ones are looked at again.
"""

from __future__ import annotations

import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Iterable

_YOUNG = (0, 1)
_HAS_GENERATIONS = sys.version_info < (3, 14)
"""Python 3.14 collects in another way, whose counts say something else."""


class Census:
    """All models that are alive; none of them is kept alive."""

    def __init__(self) -> None:
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._moves: tuple[int, ...] | None = None

    def models(self) -> list[Any]:
        """Every instance of ``keras.Model``, compiled or not."""
        moves = _moves()
        if _HAS_GENERATIONS and moves == self._moves:
            self._add([one for generation in _YOUNG for one in gc.get_objects(generation)])
        if moves != self._moves or moves != _moves() or not _HAS_GENERATIONS:
            self._add(gc.get_objects())
            self._moves = moves  # as it was before: where objects moved meanwhile, all are looked at next time
        return list(self._known)

    def _add(self, objects: Iterable[Any]) -> None:
        # By type: `isinstance` runs the code of proxies that other packages keep, such as modules that load late.
        kinds = {id(kind): kind for kind in map(type, objects)}
        found = {key for key, kind in kinds.items() if issubclass(kind, keras.Model)}
        if found:
            self._known.update(one for one in objects if id(type(one)) in found)


def _moves() -> tuple[int, ...]:
    """How often the collector has moved objects to the oldest generation."""
    return tuple(generation["collections"] for generation in gc.get_stats()[1:])


CENSUS = Census()
"""The one of this process."""

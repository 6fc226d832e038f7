"""Where copied values come from: opened when they are needed, and closed after the edit."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access import WeightStore, opened
from weightkit.access.dequantize import DequantizedSource
from weightkit.errors import BusyError

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access import Target, WeightRef


NOTHING = DequantizedSource()


class SourceReader:
    """The store of a target, open as long as any ``with`` statement uses it.

    A plan may be applied long after it is made. Then its source is opened again.

    Args:
        target: The source.
        real: The weights that are read as real numbers, once a plan knows them.
    """

    def __init__(self, target: Target, real: DequantizedSource = NOTHING) -> None:
        self._target, self._real = target, real
        self._plain: SourceReader | None = None
        self.name = _name(target)
        """The source as given, for a ``repr``."""
        # Threads of one edit read spans at the same time: opening and closing must each happen once.
        self._lock = threading.RLock()
        self._users = 0
        self._store: WeightStore | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> WeightStore:
        with self._lock:
            if self._store is None:
                self._store = self._opened()
            self._users += 1
            return self._store

    def _opened(self) -> WeightStore:
        with contextlib.ExitStack() as entered:
            store = entered.enter_context(self._plain or opened(self._target))
            entered.enter_context(store.steady())  # it is the target that changes
            found = self._real.on(store) if self._real else store
            self._stack = entered.pop_all()
        return found

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._store = None
                self._stack.close()

    def __reduce__(self) -> tuple[type[SourceReader], tuple[Target, DequantizedSource]]:
        return SourceReader, (self._target, self._real)  # a copy opens the source itself

    @property
    def plain(self) -> SourceReader:
        """The reader of the source as it is stored."""
        return self._plain or (SourceReader(self._target) if self._real else self)

    def dequantizing(self, real: DequantizedSource) -> SourceReader:
        """A reader of the same open source, in which these weights are read as real numbers."""
        if not real:
            return self.plain
        found = SourceReader(self._target, real)
        found._plain = self.plain
        return found

    def read(self, ref: WeightRef, span: slice) -> np.ndarray:
        """Values of the source; several threads may call this at the same time."""
        with self as store:
            return store.read(ref, span)


def _name(target: Target) -> str:
    known = target.label if isinstance(target, WeightStore) else target
    if isinstance(known, list | tuple):  # each variable would show its values
        return f"<{len(known)} variables>"
    return repr(os.fspath(known) if isinstance(known, os.PathLike) else known)


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """What a plan knows of its source."""

    label: str
    """Its name in messages."""
    weights: frozenset[WeightRef]
    notes: tuple[str, ...] = ()
    """What its store says about the whole of it."""

    def require_unchanged(self, store: WeightStore) -> None:
        """Refuse a source that was replaced after the plan was made.

        Raises:
            BusyError: It has other weights now.
        """
        if frozenset(store) != self.weights:
            raise BusyError(
                "the source must have the weights that it had when the plan was made, got others",
                hint="make the plan again",
                file=self.label,
            )

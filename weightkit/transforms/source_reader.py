"""Where copied values come from: opened when they are needed, and closed after the edit."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Any

from weightkit.access import WeightStore, opened
from weightkit.errors import BusyError

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access import Target, WeightRef


class SourceReader:
    """The store of a target; in a ``with`` statement it stays open.

    A plan may be applied long after it is made. Then its source is opened again, and closed with the plan.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self.name = repr(target.label if isinstance(target, WeightStore) else target)
        """The source as given, for a ``repr``."""
        self._lock = threading.RLock()
        self._users = 0
        self._store: WeightStore | None = None
        self._refs: frozenset[WeightRef] | None = None
        self._close: weakref.finalize[..., Any] | None = None

    @property
    def label(self) -> str:
        """The name of the source in messages."""
        with self._lock:
            return self._opened().label

    def __enter__(self) -> WeightStore:
        with self._lock:
            self._users += 1
            try:
                return self._opened()
            except BaseException:
                self._users -= 1
                raise

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._close is not None:
                self._close()
                self._store = self._close = None

    def read(self, ref: WeightRef, span: slice) -> np.ndarray:
        """Values of the source; several threads may call this at the same time."""
        with self._lock:
            store = self._opened()
        return store.read(ref, span)

    def _opened(self) -> WeightStore:
        if self._store is None:
            stack = contextlib.ExitStack()
            store: WeightStore = stack.enter_context(opened(self._target))
            self._close = weakref.finalize(self, stack.close)
            self._store = store
            self._require_unchanged(store)
        return self._store

    def _require_unchanged(self, store: WeightStore) -> None:
        refs = frozenset(store)
        if self._refs is None:
            self._refs = refs
        elif self._refs != refs:
            raise BusyError("the source has other weights than when the plan was made", hint="make the plan again")

"""Collects the new values of an edit in memory, and sets the variables when all are there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from weightkit.access.live.handles import writable
from weightkit.access.live.merged_kernel import MergedKernel
from weightkit.access.live.undo import UndoLog
from weightkit.access.store import ALL, Outcome, Sink
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np

    from weightkit.access.live.handles import Handle
    from weightkit.access.ref import WeightRef


class LiveSink(Sink):
    """Holds new values outside the model, which does not change until `commit`."""

    def __init__(self, handles: Mapping[WeightRef, Handle], repeated: Collection[WeightRef] = ()) -> None:
        """Take the values of these weights; those ``repeated`` are not set, since a later one is the same variable."""
        self._repeated = repeated
        self._slots = {ref: _Slot(ref, handle) for ref, handle in handles.items()}
        self._lock = threading.Lock()
        self._log = UndoLog()

    def before(self, ref: WeightRef) -> np.ndarray | None:
        """A weight's values from before the running edit: do not change or keep them."""
        slot = self._slots.get(ref)
        return None if slot is None else slot.before

    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of one of the weights. May be called from several threads."""
        slot = self._slots[ref]
        first, last, _ = span.indices(slot.size)
        if values.size != last - first or values.dtype != ref.dtype:
            raise AssertionError(f"{ref.path}: {values.size} elements of {values.dtype} for {last - first}")
        with self._lock:
            new = slot.taking(last - first)
        new[first:last] = values.reshape(-1)  # outside the lock: spans do not overlap

    def commit(self) -> None:
        """Give every variable its new value."""
        # All are checked before the first variable is set.
        for slot in self._slots.values():
            slot.require_complete()
        for ref, slot in self._slots.items():
            if ref not in self._repeated:
                slot.commit(self._log)
        self.outcome = Outcome(notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        merged = [ref.path for ref, slot in self._slots.items() if isinstance(slot.handle, MergedKernel)]
        if not merged:
            return ()
        return (f"the low-rank updates (LoRA) of {listed(merged)} are merged into their kernels, and start from zero",)

    def undo(self) -> None:
        """Restore what `commit` has changed so far."""
        self.outcome = None
        self._log.undo()


class _Slot:
    """One weight in an edit: its old and its new values."""

    def __init__(self, ref: WeightRef, handle: Handle) -> None:
        self._ref, self.handle = ref, handle
        self._value = handle.value()
        self.before = handle.look(self._value)
        self.size = self._missing = ref.size
        self._new: np.ndarray | None = None

    def taking(self, count: int) -> np.ndarray:
        """The flat array for new values; ``count`` of them are about to be written."""
        if self._new is None:
            self._new = writable(self.size, self._ref.dtype)
        self._missing -= count
        return self._new

    def require_complete(self) -> None:
        if self._missing:
            raise AssertionError(f"{self._ref.path}: {self._missing} elements were not written")

    def commit(self, log: UndoLog) -> None:
        """Give the variable its new values; it may keep their memory."""
        if self._new is not None:
            # No reference stays here: the variable may take the memory over.
            new, self._new = self._new.reshape(self._ref.shape), None
            log.set(self._ref.path, self.handle, self._value, new)

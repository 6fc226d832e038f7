"""Collects the new values of an edit in memory, and sets the variables when all are there.

The values of a large edit would take as much memory as the model. Where that is allowed, each of its variables is set
as soon as its own values are there, and the old ones wait in a temporary file until the edit is complete.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from weightkit.access.live.merged_kernel import MergedKernel
from weightkit.access.live.old_values import OldValues
from weightkit.access.live.slot import Slot
from weightkit.access.live.undo import UndoLog
from weightkit.access.store import ALL, Outcome, Sink
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from weightkit.access.live.handles import Handle
    from weightkit.access.ref import WeightRef

_LARGE = 64 << 20  # bytes of new values that are held at once


class LiveSink(Sink):
    """Holds new values outside the model, which does not change until `commit`; but see `may_set_early`."""

    def __init__(self, handles: Mapping[WeightRef, Handle], repeated: Mapping[WeightRef, WeightRef]) -> None:
        """Take the values of these weights.

        Args:
            handles: How each is set.
            repeated: Weights that are the same variable as a later one, with that one, whose values are set.
        """
        self._repeated = repeated
        addresses = Counter(repeated.get(ref, ref) for ref in handles)
        self._slots = {ref: Slot(ref, handles[ref], count) for ref, count in addresses.items()}
        self._lock = threading.Lock()
        self._log = UndoLog()
        self._old: OldValues | None = None
        self._complete: deque[Slot] = deque()
        self._thread = threading.get_ident()

    def may_set_early(self) -> None:
        """Set the variables of a large edit (over 64 MiB) before `commit`, each when its own values are complete.

        Their old values go to a temporary file, or stay in memory where that cannot be written.
        """
        if sum(slot.ref.nbytes for slot in self._slots.values()) <= _LARGE:
            return
        self._old, at = OldValues(), 0
        for slot in self._slots.values():
            slot.may_set_early(self._old, at)
            at += slot.ref.nbytes

    def before(self, ref: WeightRef, span: slice) -> np.ndarray | None:
        """A weight's values from before the running edit, as `part` gives them: do not change or keep them."""
        slot = self._slot(ref)
        return None if slot is None else slot.before(span)

    def _slot(self, ref: WeightRef) -> Slot | None:
        return self._slots.get(self._repeated.get(ref, ref) if self._repeated else ref)

    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of one of the weights. May be called from several threads."""
        slot = self._slot(ref)
        if slot is None:
            raise AssertionError(f"{ref.path} is not among the weights to change")
        first, last, _ = span.indices(slot.size)
        if values.size != last - first or values.dtype != ref.dtype:
            raise AssertionError(f"{ref.path}: {values.size} elements of {values.dtype} for {last - first}")
        if not self._repeated or ref not in self._repeated:
            with self._lock:
                slot.prepare()
            slot.take(values, first, last)  # outside the lock: spans do not overlap
        with self._lock:
            if slot.done(last - first):
                self._complete.append(slot)
        # Only there: backends have settings of a thread, and an undo must not meet a thread that goes on setting.
        if threading.get_ident() == self._thread:
            self._set_complete()

    def _set_complete(self) -> None:
        while self._complete:
            self._complete.popleft().set(self._log)

    def commit(self) -> None:
        """Give every variable its new value."""
        # All are checked before the first variable is set that was not set early.
        for slot in self._slots.values():
            slot.require_complete()
        for slot in self._slots.values():
            slot.set(self._log)
        self.outcome = Outcome(notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        merged = [ref.path for ref, slot in self._slots.items() if isinstance(slot.handle, MergedKernel)]
        if not merged:
            return ()
        return (f"the low-rank updates (LoRA) of {listed(merged)} are merged into their kernels, and start from zero",)

    def undo(self) -> None:
        """Restore what was changed so far."""
        self.outcome = None
        self._log.undo()

    def close(self) -> None:
        """Give the temporary file back, after `commit` or `undo`."""
        if self._old is not None:
            self._old.close()

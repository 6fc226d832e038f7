"""One variable in an edit: its old and its new values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live.handles import writable
from weightkit.access.live.merged_kernel import MergedKernel
from weightkit.access.store import ALL

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access.live.handles import Handle
    from weightkit.access.live.old_values import OldValues
    from weightkit.access.live.undo import UndoLog
    from weightkit.access.ref import WeightRef


class Slot:
    """One variable in an edit.

    Args:
        ref: Its weight; the last one, where several addresses are the same variable.
        handle: How it is set.
        addresses: How many weights are this variable: all of them are computed before it is set.
    """

    def __init__(self, ref: WeightRef, handle: Handle, addresses: int = 1) -> None:
        self.ref, self.handle = ref, handle
        self._held: _Held | None = _Held(handle.value())
        self.size = ref.size
        self._missing = self.size * addresses
        self._new: np.ndarray | None = None
        self._file: OldValues | None = None
        self._at = 0

    def before(self, span: slice) -> np.ndarray:
        """Values from before the edit, as `part` gives them: do not change or keep them."""
        held = self._held  # once: another thread may set the variable meanwhile
        return self._from_file(span) if held is None else part(held.look(self.handle), span)

    def may_set_early(self, file: OldValues, at: int) -> None:
        """Write old values to a file, from an offset in bytes on, as new ones come."""
        # A kernel with LoRA is not restored from its values, but from the two variables that they are computed from.
        if not isinstance(self.handle, MergedKernel):
            self._file, self._at = file, at

    def prepare(self) -> None:
        """Allocate the new values; not from two threads at once."""
        if self._new is None:
            self._new = writable(self.size, self.ref.dtype)

    def take(self, values: np.ndarray, first: int, last: int) -> None:
        """Take some new values, after `prepare`; from any thread."""
        if self._file is not None and not self._is_filed(self._file, first, last):
            self._file = None
        if self._new is not None:
            self._new[first:last] = values.reshape(-1)

    def _is_filed(self, file: OldValues, first: int, last: int) -> bool:
        """Whether the old values of some elements are in the file now."""
        before = self.before(ALL)
        if not before.flags.c_contiguous or before.dtype != self.ref.dtype:
            return False
        return file.write(before.reshape(-1)[first:last], self._at + first * before.itemsize)

    def done(self, count: int) -> bool:
        """Count elements that were taken; returns whether the variable can be set early now."""
        self._missing -= count
        return not self._missing and self._file is not None

    def require_complete(self) -> None:
        """Check that all elements were taken."""
        if self._missing:
            raise AssertionError(f"{self.ref.path}: {self._missing} elements were not written")

    def set(self, log: UndoLog) -> None:
        """Give the variable its new values, if it has not got them yet; it may keep their memory."""
        if self._new is None:
            return
        # No reference stays here: the variable may take the memory over.
        new, self._new = self._new.reshape(self.ref.shape), None
        if self._file is None and self._held is not None:
            log.set(self.ref.path, self.handle, self._held.value, new)
            return
        # Recorded first, and not held any more: from here on, the file has the old values.
        log.record(self.ref.path, self._put_back)
        self._held = None
        self.handle.set(new)

    def _put_back(self) -> None:
        self.handle.set(self._from_file(ALL))

    def _from_file(self, span: slice) -> np.ndarray:
        if self._file is None:
            raise AssertionError(f"{self.ref.path}: the old values are neither held nor in a file")
        first, last, _ = span.indices(self.ref.size)
        values = writable(last - first, self.ref.dtype)
        self._file.read(values, self._at + first * self.ref.dtype.itemsize)
        return values.reshape(self.ref.shape) if span == ALL else values


@dataclass(slots=True)
class _Held:
    """A variable's old value in memory."""

    value: Any
    """In the backend's own form."""
    array: np.ndarray | None = None
    """As an array, once it was looked at: of a variable on another device, that is a copy."""

    def look(self, handle: Handle) -> np.ndarray:
        if self.array is None:
            self.array = handle.look(self.value)
        return self.array


def part(values: np.ndarray, span: slice) -> np.ndarray:
    """The whole array in its shape, or a flat span of it in C order; without a copy if possible."""
    if span == ALL:
        return values.view()
    return values.reshape(-1)[span]

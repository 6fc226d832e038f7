"""What an edit of a model has changed so far, so that it can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access.live.handles import Handle


class UndoLog:
    """The values from before of all variables that were set, the latest last."""

    def __init__(self) -> None:
        self._kept: list[tuple[Handle, Any]] = []

    def set(self, handle: Handle, before: Any, values: np.ndarray) -> None:
        """Set a variable; what it was is noted first.

        Args:
            handle: The variable.
            before: Its present value, as the handle gives it.
            values: The new ones.
        """
        self._kept.append((handle, handle.keep(before)))
        handle.set(values)

    def undo(self) -> None:
        """Put everything back, the latest first; an interruption waits until all is as it was."""
        interrupted: KeyboardInterrupt | None = None
        while self._kept:
            try:
                handle, kept = self._kept[-1]
                handle.put_back(kept)
                self._kept.pop()
            except KeyboardInterrupt as stop:
                interrupted = stop
        if interrupted is not None:
            raise interrupted

"""What an edit of a model has changed so far, so that it can be taken back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from weightkit.access.live.handles import Handle


class UndoLog:
    """The values from before of all variables that were set, the latest last."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Handle, Any]] = []

    def set(self, path: str, handle: Handle, before: Any, values: np.ndarray) -> None:
        """Set a variable; what it was is noted first.

        Args:
            path: What messages call it.
            handle: The variable.
            before: Its present value, as the handle gives it.
            values: The new ones.
        """
        self.keep(path, handle, before)
        handle.set(values)

    def keep(self, path: str, handle: Handle, before: Any) -> None:
        """Note what a variable is, which is about to be set by other means; the arguments are those of `set`."""
        self._kept.append((path, handle, handle.keep(before)))

    def undo(self) -> None:
        """Put everything back, the latest first; an interruption waits until all is as it was.

        Raises:
            MachineError: Some could not be restored; all others are.
        """
        interrupted: KeyboardInterrupt | None = None
        failed: dict[str, Exception] = {}
        while self._kept:
            path, handle, kept = self._kept[-1]
            try:
                handle.put_back(kept)
            except KeyboardInterrupt as stop:
                interrupted = stop
                continue
            except Exception as error:  # noqa: BLE001  # whatever a backend raises, the others are still put back
                failed[path] = error
            self._kept.pop()
        if failed:
            first = next(iter(failed.values()))
            raise MachineError(
                f"the edit was undone, but {', '.join(failed)} could not be restored: {first}",
                hint="load the model again",
            ) from first
        if interrupted is not None:
            raise interrupted


@contextlib.contextmanager
def undone_on_error() -> Iterator[UndoLog]:
    """A log of what is set meanwhile, which is all put back on any error and interruption."""
    log = UndoLog()
    try:
        yield log
    except BaseException:
        log.undo()
        raise

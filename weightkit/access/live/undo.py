"""What an edit of a model has changed so far, so that it can be undone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from weightkit.access.live.handles import Handle


class UndoLog:
    """The old values of all variables that were set, latest last."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Handle, Any]] = []

    def set(self, path: str, handle: Handle, before: Any, values: np.ndarray) -> None:
        """Set a variable, after recording its old value.

        Args:
            path: Its name in messages.
            handle: The variable.
            before: Its current value, from the handle.
            values: The new ones.
        """
        # Recorded first: an interruption between the two then restores an unchanged value, which does no harm.
        self.keep(path, handle, before)
        handle.set(values)

    def keep(self, path: str, handle: Handle, before: Any) -> None:
        """Record the value of a variable that is about to be set by other means; same arguments as `set`."""
        self._kept.append((path, handle, handle.keep(before)))

    def undo(self) -> None:
        """Restore everything, latest first; an interruption waits until all is restored.

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
                continue  # the entry is still there: it is tried again
            except Exception as error:  # noqa: BLE001  # whatever a backend raises, the others are still restored
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
    """A log of what is set meanwhile; any error or interruption restores it all."""
    log = UndoLog()
    try:
        yield log
    except BaseException:
        log.undo()
        raise

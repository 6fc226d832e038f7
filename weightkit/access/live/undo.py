"""What an edit of a model has changed so far, so that it can be undone."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from weightkit.access.live.handles import handle_of
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from weightkit.access.live.handles import Handle


class UndoLog:
    """How all variables that were set get their old values back, latest last."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Callable[[], None]]] = []

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
        self.record(path, functools.partial(handle.put_back, handle.keep(before)))

    def keep_all(self, variables: Iterable[Any]) -> None:
        """Record the values of Keras variables that are about to be set by other means; those without one stay so."""
        for variable in variables:
            if variable._value is not None:  # noqa: SLF001  # `value` would make one, and a tied weight must have none
                handle = handle_of(variable)
                self.keep(variable.path, handle, handle.value())

    def record(self, path: str, restore: Callable[[], None]) -> None:
        """Record how a variable that is about to be set is restored; it may be called twice."""
        self._kept.append((path, restore))

    def undo(self) -> None:
        """Restore everything, latest first; an interruption waits until all is restored.

        Raises:
            MachineError: Some could not be restored; all others are.
        """
        interrupted: KeyboardInterrupt | None = None
        failed: dict[str, Exception] = {}
        while self._kept:
            try:
                self._restore_all(failed)
            except KeyboardInterrupt as stop:
                interrupted = stop
        if failed:
            first = next(iter(failed.values()))
            raise MachineError(
                f"the edit was undone, but {', '.join(failed)} could not be restored: {first}",
                hint="load the model again",
            ) from first
        if interrupted is not None:
            raise interrupted

    def _restore_all(self, failed: dict[str, Exception]) -> None:
        while self._kept:
            path, restore = self._kept[-1]  # it stays there until it is done: after an interruption it is tried again
            try:
                restore()
            except Exception as error:  # noqa: BLE001  # whatever a backend raises, the others are still restored
                failed[path] = error
            self._kept.pop()


@contextlib.contextmanager
def undone_on_error() -> Iterator[UndoLog]:
    """A log of what is set meanwhile; any error or interruption restores it all."""
    log = UndoLog()
    try:
        yield log
    except BaseException:
        log.undo()
        raise

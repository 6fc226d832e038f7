"""Many small tasks on arrays, shared by a few threads that take them one at a time, in any order."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from weightkit.access.threads import THREADS, WORTH_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_KEPT = 8 << 20  # bytes
_What = TypeVar("_What")
_Part = TypeVar("_Part")


def share(tasks: Iterable[tuple[_What, _Part]], work: Callable[[_What, _Part], None], nbytes: int) -> None:
    """Do all tasks; the first error in any thread stops all of them, and is raised.

    Args:
        tasks: Pairs of a thing and a part of it; each is taken once, when a thread is free.
        work: Called with each pair; from several threads if there is enough to do.
        nbytes: About how many bytes the tasks process.
    """
    shared = _Shared(tasks)
    if nbytes < WORTH_THREADS:
        shared.drain(work)
        return
    # glibc keeps freed memory from now on, up to twice this much: arrays no longer cost one page fault per page.
    np.empty(_KEPT, np.uint8)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # small work starts faster without it

    with ThreadPoolExecutor(THREADS - 1) as pool:
        try:
            futures = []
            with contextlib.suppress(RuntimeError):  # no more threads can be had: those that there are do the work
                for _ in range(THREADS - 1):
                    futures.append(pool.submit(shared.drain, work))  # noqa: PERF401  # those before the error count
            # The calling thread too: models are set in it alone.
            shared.drain(work)
            for future in futures:
                future.result()
        finally:
            # Also after an interruption: the pool would wait for all tasks otherwise.
            shared.stop()


class _Shared(Generic[_What, _Part]):
    """Tasks that are handed out one at a time, until they end or are stopped."""

    def __init__(self, tasks: Iterable[tuple[_What, _Part]]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()

    def drain(self, work: Callable[[_What, _Part], None]) -> None:
        """Take tasks until none is left."""
        try:
            while task := self._next():
                work(*task)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hand out no more tasks."""
        with self._lock:
            self._tasks = iter(())

    def _next(self) -> tuple[_What, _Part] | None:
        with self._lock:
            return next(self._tasks, None)

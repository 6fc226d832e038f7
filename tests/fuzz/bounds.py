"""A bound on the time and memory of what the parent does with one file."""

from __future__ import annotations

import contextlib
import resource
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SECONDS = 2.0  # of processor time, so that other programs do not count
MEMORY = 200 << 20  # bytes of address space beyond what is in use


class TooLongError(BaseException):
    """Not caught as an Exception on its way."""


@contextlib.contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Stop what takes too long, with a TooLongError, or too much memory, with a MemoryError."""
    before = signal.signal(signal.SIGPROF, _too_long)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_in_use() + MEMORY, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def _in_use() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  # as often as there are cases
        return int(statm.read().split()[0]) * resource.getpagesize()


def _too_long(_: int, __: FrameType | None) -> None:
    raise TooLongError

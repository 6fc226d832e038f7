"""CPU-bound work done by several threads, with results in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from weightkit.access.threads import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

_AHEAD = 4  # items in work or waiting to be taken at any time
_SMALL, _LARGE = 32 << 10, 16 << 20  # bytes of an item: threads cost too much below, and memory above
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(work: Callable[[_Item], _Result], items: Iterable[_Item], size: int) -> Iterator[_Result]:
    """The results of ``work`` on each item, in the order of the items; only a few are held at a time.

    Args:
        work: Called by any thread, in any order; the first error ends everything.
        items: Taken one by one by the thread that consumes the results.
        size: Approximate bytes of an item.
    """
    if not _SMALL <= size <= _LARGE:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # small edits start faster without

    pool = ThreadPoolExecutor(THREADS)
    try:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Also after an error, or when the results are not taken to the end.
        pool.shutdown(cancel_futures=True)

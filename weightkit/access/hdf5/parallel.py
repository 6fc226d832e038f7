"""Work that takes processor time, done by several threads and handed out in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from weightkit.access.threads import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

_AHEAD = 4  # items at a time that are being worked on or wait to be taken
_SMALL, _LARGE = 32 << 10, 16 << 20  # bytes of an item: where threads cost more than they save, or too much memory
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(work: Callable[[_Item], _Result], items: Iterable[_Item], size: int) -> Iterator[_Result]:
    """The results of ``work`` on each item, in the order of the items; no more than a few are held at a time.

    Args:
        work: What is done, by any thread, in any order; the first error ends it all.
        items: Taken one by one, by the thread that takes the results.
        size: Bytes of an item, about.
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
        pool.shutdown(cancel_futures=True)

"""Results come in order, from several threads, and few are held at a time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from weightkit.access.hdf5.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = pytest.mark.parametrize("size", [0, 1 << 20, 1 << 30])


@SIZES
def test_results_come_in_the_order_of_the_items(size: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 / (item + 1))
        return item * item

    assert list(in_order(slow_at_first, range(20), size)) == [item * item for item in range(20)]


def test_two_threads_work_at_once() -> None:
    both = threading.Barrier(2, timeout=20)
    assert list(in_order(lambda item: both.wait() >= 0 and item, range(4), 1 << 20)) == [0, 1, 2, 3]


def test_no_more_than_a_few_items_are_taken_ahead_of_the_results() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(str, items(), 1 << 20)
    next(results)
    assert len(taken) <= 4
    results.close()
    assert len(taken) <= 4


@SIZES
def test_the_first_error_ends_the_work(size: int) -> None:
    def fails(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    before = set(threading.enumerate())
    results = in_order(fails, iter(range(1000)), size)
    with pytest.raises(ValueError, match="three"):
        list(results)
    assert set(threading.enumerate()) <= before

"""Tasks are done once each, by several threads where there is enough to do, and end at the first error."""

from __future__ import annotations

import threading

import pytest

from weightkit.access.edits.tasks import share

SMALL, LARGE = 1 << 10, 64 << 20
SIZES = pytest.mark.parametrize("nbytes", [SMALL, LARGE])


@SIZES
def test_every_task_is_done_once(nbytes):
    done = []
    share(((name, part) for name in "ab" for part in range(50)), lambda *task: done.append(task), nbytes)
    assert sorted(done) == [(name, part) for name in "ab" for part in range(50)]


def test_two_threads_work_at_once_where_there_is_enough_to_do():
    both = threading.Barrier(2, timeout=20)
    share([("a", 0), ("a", 1)], lambda *_: both.wait(), LARGE)
    assert both.broken is False


def test_little_work_is_done_by_whoever_asks_for_it():
    seen = []
    share([("a", 0), ("a", 1)], lambda *_: seen.append(threading.get_ident()), SMALL)
    assert seen == [threading.get_ident()] * 2


@SIZES
def test_the_first_error_comes_out_and_no_more_tasks_are_begun(nbytes):
    begun = []

    def work(name, part):
        begun.append(part)
        if part == 3:
            raise ValueError(name)

    with pytest.raises(ValueError, match="a"):
        share((("a", part) for part in range(100_000)), work, nbytes)
    assert len(begun) < 100_000


@pytest.fixture
def no_threads():
    before = threading.stack_size(1 << 46)  # more than there can be: a new thread fails as it does at its limit
    yield
    threading.stack_size(before)


@pytest.mark.usefixtures("no_threads")
def test_where_no_thread_can_be_started_the_asking_one_does_the_work():
    seen = []
    share([("a", 0), ("a", 1)], lambda *_: seen.append(threading.get_ident()), LARGE)
    assert seen == [threading.get_ident()] * 2

"""Weights are compared in tiles, by two threads, and the result is that of the whole."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from support import write_legacy

from weightkit import open_weights
from weightkit.access.edits.tiles import TILE
from weightkit.compare import pair
from weightkit.compare.measures import measure
from weightkit.compare.value_comparison import compare

SIZE = 11 * TILE + 7


@pytest.fixture
def compared(tmp_path):
    """What is found of weights given as pairs of arrays."""

    def run(*pairs, wrap=lambda store: store, **options):
        sides = [{f"w{n}": {"kernel": values} for n, values in enumerate(side)} for side in zip(*pairs, strict=True)]
        paths = [write_legacy(tmp_path / name, side) for name, side in zip(("a.h5", "b.h5"), sides, strict=True)]
        with open_weights(paths[0]) as ours, open_weights(paths[1]) as theirs:
            return compare(wrap(ours), theirs, list(zip(ours, theirs, strict=True)), **options)

    return run


def drawn(seed=0, size=SIZE):
    return np.random.default_rng(seed).standard_normal(size, dtype=np.float32)


def test_a_large_weight_is_measured_as_if_it_were_whole(compared):
    a, b = drawn(), drawn(1)
    (found,) = compared((a, b))
    whole = measure(a, b, 0)
    assert (found.measures.size, found.measures.changed) == (SIZE, whole.changed)
    assert (found.measures.max_abs, found.measures.max_at) == (whole.max_abs, whole.max_at)
    assert found.measures.relative_l2 == pytest.approx(whole.relative_l2, rel=1e-12)
    assert found.measures.cosine == pytest.approx(whole.cosine, rel=1e-9)


def test_two_runs_give_the_same_bits_however_the_threads_take_turns(compared):
    a, b = drawn(), drawn(1)
    b[3 * TILE : 5 * TILE] = a[3 * TILE : 5 * TILE]
    assert compared((a, b))[0].measures == compared((a, b))[0].measures


def test_spans_that_are_the_same_count_in_the_norm_of_a_weight_that_differs(compared):
    a, b = drawn(), drawn()
    b[-1] += 1
    (found,) = compared((a, b))
    difference = (b - a).astype(np.float64)
    assert found.measures.changed == 1
    assert found.measures.relative_l2 == pytest.approx(
        np.linalg.norm(difference) / np.linalg.norm(a.astype(np.float64))
    )


def test_what_happened_must_hold_to_the_last_tile(compared):
    a = drawn()
    half, nearly = a * np.float32(0.5), a * np.float32(0.5)
    nearly[-1] = 9
    first, second = compared((a, half), (a, nearly))
    assert first.hypothesis.text == "scaled by 0.5"
    assert second.hypothesis is None


def test_a_weight_whose_beginning_is_the_same_was_not_scaled(compared):
    a = drawn()
    b = a.copy()
    b[TILE:] *= np.float32(0.5)
    assert compared((a, b))[0].hypothesis is None


def test_empty_weights_are_the_same(compared):
    (found,) = compared((np.zeros((0, 3), "f4"), np.zeros((0, 3), "f4")))
    assert (found.measures.size, found.measures.changed) == (0, 0)


def test_the_order_of_bytes_makes_no_difference(compared):
    (found,) = compared((drawn(), drawn().astype(">f4")))
    assert found.measures.changed == 0


def test_progress_counts_every_byte_of_the_first(compared):
    done = []
    compared((drawn(), drawn(1)), (drawn(), drawn()), progress=done.append)
    assert sum(done) == 2 * SIZE * 4


def test_large_work_is_done_by_another_thread_too_and_small_by_none(compared):
    class Watched:
        def __init__(self, store):
            self.store, self.seen, self.steady = store, seen, store.steady

        def read(self, ref, span):
            self.seen.add(threading.current_thread().name)
            if len(self.seen) > 1:
                both.set()
            both.wait(wait)  # nobody takes all tasks before the other one has begun
            return self.store.read(ref, span)

    seen, both, wait = set[str](), threading.Event(), 60
    compared((drawn(), drawn()), wrap=Watched)
    assert threading.current_thread().name in seen
    assert len(seen) == 2
    seen, both, wait = set(), threading.Event(), 0
    compared((drawn(size=9), drawn(size=9)), wrap=Watched)
    assert seen == {threading.current_thread().name}


@pytest.mark.parametrize("failing", [0, 5])
def test_an_error_of_any_tile_ends_the_work_and_nobody_waits(compared, failing):
    class Broken:
        def __init__(self, store):
            self.store, self.steady = store, store.steady

        def read(self, ref, span):
            if span.start == failing * TILE:
                raise OSError("the disk is gone")
            return self.store.read(ref, span)

    with pytest.raises(OSError, match="the disk is gone"):
        compared((drawn(), drawn(1)), wrap=Broken)


def test_an_error_while_guessing_leaves_nobody_waiting(compared, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(pair, "guess", fail)
    with pytest.raises(MemoryError):
        compared((drawn(), drawn(1)))

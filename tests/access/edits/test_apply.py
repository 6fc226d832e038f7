"""Doing a plan: tiles, threads, errors and progress, on real files."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Folder, digest, plain_datasets, write_legacy

from weightkit import Scale, edit, open_weights, plan
from weightkit.access.edits.arithmetic import Losses, NonFinite
from weightkit.access.edits.choose import plan_edit
from weightkit.access.edits.tiles import TILE
from weightkit.access.edits.transform import Transform
from weightkit.access.store import ALL, Destination
from weightkit.errors import NonFiniteError, RequestError

LARGE = (1537, 1021)  # more than 4 MiB of float32 and no multiple of a tile: two threads, a last tile that is short


@dataclass(frozen=True)
class Watched(Transform):
    """Multiplies by 2 and records what it was given."""

    elementwise: bool
    calls: list[tuple[str, Any, tuple[int, ...], int]] = field(default_factory=list)

    def __call__(self, ref, values, span=ALL):
        self.calls.append((ref.path, span, values.shape, threading.get_ident()))
        return values * np.float32(2)


@dataclass(frozen=True)
class Fails(Watched):
    """Fails in the middle of a large weight, in whichever thread gets there."""

    error: BaseException = field(default_factory=lambda: ArithmeticError("no"))

    def __call__(self, ref, values, span=ALL):
        if span.start >= TILE * 9:
            raise self.error
        return super().__call__(ref, values, span)


def values_of(shape, dtype=np.float32):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


@pytest.fixture
def large(tmp_path):
    layers = {"big": {"kernel": values_of(LARGE), "bias": values_of(1021)}, "small": {"kernel": values_of((3, 5))}}
    return write_legacy(tmp_path / "large.h5", layers)


def test_a_large_weight_edited_by_two_threads_equals_numpy(large):
    before = plain_datasets(large)
    edit(large, Scale(0.1))
    after = plain_datasets(large)
    assert after.keys() == before.keys()
    for name, values in before.items():
        assert after[name].tobytes() == (values * np.float32(0.1)).tobytes(), name


def test_two_threads_do_a_large_edit_and_one_a_small_one(large):
    both, one = Watched(elementwise=True), Watched(elementwise=True)
    barrier = threading.Barrier(2, timeout=60)

    @dataclass(frozen=True)
    class Meeting(Watched):
        def __call__(self, ref, values, span=ALL):
            if len({call[3] for call in self.calls}) < 2 and span.start in {0, TILE}:
                barrier.wait()
            return super().__call__(ref, values, span)

    both = Meeting(elementwise=True)
    edit(large, both, where="big/kernel")
    edit(large, one, where="small")
    assert len({call[3] for call in both.calls}) == 2
    assert {call[3] for call in one.calls} == {threading.get_ident()}


def test_an_elementwise_transform_is_fed_spans_that_cover_each_element_once(large):
    watched = Watched(elementwise=True)
    edit(large, watched)
    for path, size in {"big/kernel": 1537 * 1021, "big/bias": 1021, "small/kernel": 15}.items():
        spans = sorted((call[1].start, call[1].stop) for call in watched.calls if call[0] == path)
        assert [start for start, _ in spans] == list(range(0, size, TILE))
        assert [stop for _, stop in spans] == [*range(TILE, size, TILE), size]


def test_any_other_transform_is_given_whole_weights_in_their_shape(large):
    watched = Watched(elementwise=False)
    before = plain_datasets(large)
    edit(large, watched)
    assert sorted((path, span, shape) for path, span, shape, _ in watched.calls) == [
        ("big/bias", ALL, (1021,)),
        ("big/kernel", ALL, LARGE),
        ("small/kernel", ALL, (3, 5)),
    ]
    assert all((plain_datasets(large)[name] == values * np.float32(2)).all() for name, values in before.items())


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (1,), (TILE,), (TILE + 1,), (TILE - 1,), (7, 11, 13)])
@pytest.mark.parametrize("elementwise", [True, False])
def test_every_shape_is_edited_exactly_scalars_and_empty_weights_too(tmp_path, shape, elementwise):
    values = values_of(shape)
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values, "bias": values_of(3)}})
    edit(path, Watched(elementwise=elementwise))
    after = plain_datasets(path)["d/d/kernel:0"]
    assert after.shape == shape
    assert np.asarray(after).tobytes() == np.asarray(values * np.float32(2)).tobytes()


@pytest.mark.parametrize("elementwise", [True, False])
def test_progress_adds_up_to_the_bytes_of_the_plan(large, elementwise):
    advanced: list[int] = []
    with open_weights(large, editable=True) as store:
        planned = plan_edit(store, Watched(elementwise=elementwise))
        planned.apply(store, progress=advanced.append)
    assert sum(advanced) == planned.nbytes == (1537 * 1021 + 1021 + 15) * 4


@pytest.mark.parametrize("given", [str, Path])
def test_a_plan_is_applied_to_a_path_and_what_was_opened_for_it_is_closed(large, given):
    before = plain_datasets(large)
    for _ in range(2):
        plan(large, Scale(0.5), "small").apply(given(large), Destination(backup=False))
    assert (plain_datasets(large)["small/small/kernel:0"] == before["small/small/kernel:0"] / 4).all()


def test_a_plan_is_applied_to_an_open_store_which_stays_open(large):
    with open_weights(large, editable=True) as store:
        before, half = store["small/kernel"], plan(store, Scale(0.5), "small")
        half.apply(store, Destination(large.with_name("out.h5")))
        assert store["small/kernel"].tobytes() == before.tobytes()
        half.apply(store)
        with pytest.raises(RequestError, match="this store has been edited: open it again"):
            store["small/kernel"]
    with open_weights(large) as again:
        assert again["small/kernel"].tobytes() == (before * np.float32(0.5)).tobytes()


@pytest.mark.parametrize("error", [ArithmeticError("no"), KeyboardInterrupt(), SystemExit(7)])
def test_an_error_in_a_thread_comes_out_and_nothing_has_happened(large, error):
    before = Folder.of(large.parent)
    with pytest.raises(type(error)) as caught:
        edit(large, Fails(elementwise=True, error=error))
    assert caught.value is error
    assert Folder.of(large.parent) == before


def test_an_error_in_one_thread_ends_the_work_of_the_other(tmp_path):
    """The second thread fails while the calling one has hardly begun."""
    failing = threading.Event()

    @dataclass(frozen=True)
    class SecondFails(Watched):
        def __call__(self, ref, values, span=ALL):
            if threading.current_thread() is not threading.main_thread():
                failing.set()
                raise ArithmeticError
            assert failing.wait(60)
            return super().__call__(ref, values, span)

    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values_of((100, TILE))}})
    transform = SecondFails(elementwise=True)
    with pytest.raises(ArithmeticError):
        edit(path, transform)
    assert len(transform.calls) < 99


def test_new_infinities_are_refused_with_their_count_and_places(tmp_path):
    layers = {"d": {"kernel": np.array([6e4, 1, -6e4], np.float16), "bias": np.array([np.inf, 1], np.float16)}}
    path = write_legacy(tmp_path / "m.h5", layers)
    before = Folder.of(tmp_path)
    with pytest.raises(NonFiniteError, match=r"turn finite numbers into 2 infinities and 0 NaNs, in d/kernel —"):
        edit(path, Scale(2))
    assert Folder.of(tmp_path) == before


def test_new_infinities_that_are_allowed_are_reported(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([6e4, np.nan, -6e4], np.float16)}})
    report = edit(path, Scale(2), allow_nonfinite=True)
    assert {ref.path: lost for ref, lost in report.lost.items()} == {"d/kernel": Losses(NonFinite(0, 2))}
    assert plain_datasets(path)["d/d/kernel:0"].tolist()[::2] == [np.inf, -np.inf]


def test_new_infinities_in_several_tiles_of_a_weight_are_counted_together(tmp_path):
    values = np.ones(TILE * 3, np.float32)
    values[[0, TILE, TILE + 1, -1]] = 3e38
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    with pytest.raises(NonFiniteError, match="turn finite numbers into 4 infinities"):
        edit(path, Scale(2))


def test_the_file_is_as_it_was_after_a_refusal_and_can_be_edited_at_once(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([6e4], np.float16)}})
    before = digest(path)
    with pytest.raises(NonFiniteError):
        edit(path, Scale(2))
    assert digest(path) == before
    edit(path, Scale(0.5))
    assert plain_datasets(path)["d/d/kernel:0"] == np.float16(3e4)

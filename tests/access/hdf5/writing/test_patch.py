"""Patching a copy: new values at their places, every other byte unchanged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5.writing.patch import copy_around
from weightkit.access.hdf5.writing.placed_sink import Place, PlacedSink
from weightkit.access.ref import Kind, WeightRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

CONTENT = np.random.default_rng(1).integers(0, 256, 300_001, np.uint8).tobytes()


def weight(structure: str, shape: Any, dtype: Any) -> Any:
    return WeightRef(structure, None, 0, None, shape, np.dtype(dtype), Kind.UNKNOWN, None, None, None)


SMALL = weight("small", (3, 5), "<f4")
LARGE = weight("large", (200, 100), ">f8")
NARROW = weight("narrow", (7,), ml_dtypes.bfloat16)
PLACES = {LARGE: 100_003, SMALL: 17, NARROW: 299_000}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "source").write_bytes(CONTENT)
    with OpenFile(tmp_path / "source") as source, (tmp_path / "target").open("w+b") as target:
        target.truncate(len(CONTENT))
        yield source, target.fileno()


def expected(written: dict[WeightRef, np.ndarray]) -> Any:
    content = bytearray(CONTENT)
    for ref, values in written.items():
        content[PLACES[ref] : PLACES[ref] + ref.nbytes] = values.tobytes()
    return bytes(content)


def sink_for(target: int, places: dict[WeightRef, int]) -> Any:
    placed = {ref: Place(target, offset, ref.dtype) for ref, offset in places.items()}
    return PlacedSink(placed, "model.h5", lambda: target)


def copy_unchanged(source: OpenFile, target: int, places: dict[WeightRef, int]) -> None:
    spans = [(offset, ref.nbytes) for ref, offset in places.items()]
    copy_around(source.fd, target, 0, source.size, spans)


def values_of(ref: WeightRef) -> Any:
    return np.random.default_rng(2).normal(size=ref.shape).astype(ref.dtype)


def test_values_lie_at_their_places_and_all_other_bytes_are_the_source_s(files: tuple[OpenFile, int]) -> None:
    source, target = files
    sink = sink_for(target, PLACES)
    copy_unchanged(source, target, PLACES)
    written = {ref: values_of(ref) for ref in PLACES}
    for ref, values in written.items():
        sink.write(ref, values)
    sink.require_complete()
    assert os.pread(target, len(CONTENT) + 1, 0) == expected(written)


def test_spans_in_any_order_and_values_in_any_layout_end_at_their_elements(files: tuple[OpenFile, int]) -> None:
    source, target = files
    sink = sink_for(target, PLACES)
    copy_unchanged(source, target, PLACES)
    written = {ref: values_of(ref) for ref in PLACES}
    for ref, values in written.items():
        flat = values.reshape(-1)
        middle = ref.size // 3
        sink.write(ref, np.repeat(flat[middle:], 2)[::2], slice(middle, None))
        sink.write(ref, flat[:0], slice(0, 0))
        sink.write(ref, flat[:middle], slice(0, middle))
    sink.require_complete()
    assert os.pread(target, len(CONTENT) + 1, 0) == expected(written)


def test_a_transposed_view_is_written_in_c_order(files: tuple[OpenFile, int]) -> None:
    _, target = files
    sink = sink_for(target, {SMALL: 17})
    values = values_of(weight("t", (5, 3), "<f4")).T
    sink.write(SMALL, values)
    assert os.pread(target, SMALL.nbytes, 17) == values.tobytes()


def test_a_large_weight_is_not_copied_first_and_what_nobody_writes_is_missed(files: tuple[OpenFile, int]) -> None:
    source, target = files
    sink = sink_for(target, PLACES)
    copy_unchanged(source, target, PLACES)
    assert os.pread(target, LARGE.nbytes, PLACES[LARGE]) == bytes(LARGE.nbytes)
    sink.write(SMALL, values_of(SMALL))
    sink.write(NARROW, values_of(NARROW))
    sink.write(LARGE, values_of(LARGE).reshape(-1)[1:], slice(1, None))
    with pytest.raises(AssertionError, match="large: 1 elements were not written"):
        sink.require_complete()


def test_a_part_of_a_file_lands_further_on_without_its_large_weights(files: tuple[OpenFile, int]) -> None:
    source, target = files
    copy_around(source.fd, target, 1000, 299_000, [(PLACES[LARGE], LARGE.nbytes)], shift=-1000)
    wanted = bytearray(CONTENT[1000:299_000])
    wanted[PLACES[LARGE] - 1000 : PLACES[LARGE] - 1000 + LARGE.nbytes] = bytes(LARGE.nbytes)
    assert os.pread(target, len(wanted), 0) == bytes(wanted)
    assert os.pread(target, len(CONTENT), len(wanted)) == bytes(len(CONTENT) - len(wanted))


def test_without_changes_the_file_is_copied_whole(files: tuple[OpenFile, int]) -> None:
    source, target = files
    sink = sink_for(target, {})
    copy_unchanged(source, target, {})
    sink.require_complete()
    assert os.pread(target, len(CONTENT) + 1, 0) == CONTENT


@pytest.mark.parametrize(
    ("values", "span"),
    [
        (np.zeros((3, 5), "<f8"), slice(None)),
        (np.zeros((3, 5), ">f4"), slice(None)),
        (np.zeros((3, 5), "<i4"), slice(None)),
        (np.zeros(14, "<f4"), slice(None)),
        (np.zeros(16, "<f4"), slice(None)),
        (np.zeros(15, "<f4"), slice(1, None)),
        (np.zeros(2, "<f4"), slice(14, 16)),
    ],
)
def test_values_of_another_type_or_number_are_an_error_of_ours_and_not_written(
    files: tuple[OpenFile, int], values: Any, span: slice
) -> None:
    _, target = files
    sink = sink_for(target, PLACES)
    with pytest.raises(AssertionError, match="small"):
        sink.write(SMALL, values, span)
    assert os.pread(target, len(CONTENT), 0) == bytes(len(CONTENT))


def test_a_weight_that_was_not_to_change_takes_no_values(files: tuple[OpenFile, int]) -> None:
    _, target = files
    sink = sink_for(target, {SMALL: 17})
    with pytest.raises(KeyError):
        sink.write(NARROW, values_of(NARROW))

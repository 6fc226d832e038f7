"""Places of new values: contiguous writes reach the disk early, and nothing is left out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from weightkit.access.hdf5.writing import placed_sink as module
from weightkit.access.hdf5.writing.placed_sink import Place, PlacedSink
from weightkit.access.ref import Kind, WeightRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEP = 1 << 10
F4 = np.dtype("f4")


def ref(name: str) -> WeightRef:
    return WeightRef(name, None, 0, None, (1024,), F4, Kind.UNKNOWN, None, None, None)


A, B = ref("a"), ref("b")


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "new").open("w+b") as file:
        yield file.fileno()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "STEP", STEP)
    monkeypatch.setattr(module, "begin_writing", lambda _, start, stop: asked.append((start, stop)))
    return asked


def test_the_disk_begins_with_every_row_of_tiles_once(fd: int, begun: list[tuple[int, int]]) -> None:
    sink = PlacedSink({A: Place(fd, 64, F4), B: Place(fd, 1 << 20, F4)}, "file", lambda: fd)
    for place in (A, B):
        for first in range(0, 1024, 128):
            sink.write(place, np.full(128, first, F4), slice(first, first + 128))
    sink.require_complete()
    assert all(start < stop for start, stop in begun)
    asked = sorted(offset for start, stop in begun for offset in range(start, stop, 512))
    assert asked == [*range(64, 64 + 4096, 512), *range(1 << 20, (1 << 20) + 4096, 512)]
    assert np.frombuffer(os.pread(fd, 4096, 1 << 20), F4).tolist() == [n // 128 * 128 for n in range(1024)]


def test_small_weights_far_apart_are_asked_for_in_turn_and_never_to_the_end_of_the_file(
    fd: int, begun: list[tuple[int, int]]
) -> None:
    sink = PlacedSink({A: Place(fd, 0, F4), B: Place(fd, 1 << 20, F4)}, "file", lambda: fd)
    for first in range(0, 1024, 256):
        for place in (A, B):
            sink.write(place, np.zeros(256, F4), slice(first, first + 256))
    assert begun
    assert all(0 < stop - start <= 2 * STEP for start, stop in begun)

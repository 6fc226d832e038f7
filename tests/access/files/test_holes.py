"""Spans of a sparse file that hold data."""

from __future__ import annotations

import os

from weightkit.access.files.holes import data_in

PAGE = 1 << 16


def test_holes_are_skipped_however_large(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"a" * PAGE)
        file.seek(1 << 40)
        file.write(b"b" * PAGE)
        file.truncate(1 << 41)
    with path.open("rb") as file:
        spans = list(data_in(file.fileno(), 0, 1 << 41))
        assert sum(stop - first for first, stop in spans) <= 4 * PAGE
        found = b"".join(os.pread(file.fileno(), stop - first, first).strip(b"\0") for first, stop in spans)
        assert found == b"a" * PAGE + b"b" * PAGE
        assert list(data_in(file.fileno(), 1 << 20, 1 << 30)) == []


def test_a_part_of_a_file_without_holes_is_one_span(tmp_path):
    path = tmp_path / "full"
    path.write_bytes(b"a" * PAGE)
    with path.open("rb") as file:
        assert list(data_in(file.fileno(), 10, PAGE)) == [(10, PAGE)]


def test_where_the_file_system_does_not_tell_all_is_data():
    reading, writing = os.pipe()
    try:
        assert list(data_in(reading, 0, 100)) == [(0, 100)]
    finally:
        os.close(reading)
        os.close(writing)

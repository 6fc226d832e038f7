"""Old values go to an unnamed file and come back bit for bit, or are refused so that they are kept elsewhere."""

from __future__ import annotations

import os
import resource
import tempfile

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.live.old_values import OldValues


@pytest.fixture
def old(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = OldValues()
    yield made
    made.close()


def back(old, like, at=0):
    found = np.empty_like(like)
    old.read(found, at)
    return found.tobytes()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "?", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_what_is_written_is_read_back_from_where_it_was_put(old, dtype, tmp_path):
    values = np.arange(7).astype(dtype)
    assert old.write(values, 100)
    assert old.write(values[::-1].copy(), 0)
    assert old.write(np.empty(0, dtype), 0)
    assert back(old, values, 100) == values.tobytes()
    assert back(old, values) == values[::-1].tobytes()
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_the_system_cuts_short_is_continued(old, monkeypatch):
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:3], at))
    monkeypatch.setattr(os, "preadv", lambda fd, parts, at: preadv(fd, [parts[0][:5]], at))
    values = np.arange(9.0)
    assert old.write(values, 8)
    assert back(old, values, 8) == values.tobytes()


def test_a_file_that_may_not_grow_takes_no_more_and_keeps_what_it_has(old):
    values = np.arange(8.0)
    assert old.write(values, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert not old.write(values, 64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not old.write(values, 64)
    assert back(old, values) == values.tobytes()


def test_nothing_is_written_where_there_is_no_folder_for_it(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert not OldValues().write(np.ones(2), 0)


def test_what_is_not_there_is_an_error_and_not_other_values(old):
    assert old.write(np.ones(2), 0)
    with pytest.raises(OSError, match="cannot be read"):
        old.read(np.empty(3), 0)
    old.close()
    old.close()
    with pytest.raises(OSError, match="cannot be read"):
        old.read(np.empty(2), 0)
    assert not old.write(np.ones(2), 0)

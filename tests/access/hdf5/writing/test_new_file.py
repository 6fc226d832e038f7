"""A new file holds exactly what was asked for, and takes its place whole or not at all."""

from __future__ import annotations

import h5py
import ml_dtypes
import numpy as np
import pytest

from weightkit.access.hdf5.writing import new_file as module
from weightkit.access.hdf5.writing.new_file import Fresh, write_fresh
from weightkit.errors import MachineError, RequestError

VALUES = {
    "a/one": np.arange(6, dtype="float32").reshape(2, 3),
    "a/scalar": np.array(7, dtype="int64"),
    "a/half": np.array([1, 2], dtype=ml_dtypes.bfloat16),
    "a/empty": np.zeros((0, 3), "float32"),
    "a/flags": np.array([True, False]),
}
FRESH = Fresh({"": {"schema": "x/1"}, "a": {"name": "é" * 40_000}}, VALUES, {"a/half": {"dtype": "bfloat16"}})


def test_it_holds_the_groups_attributes_and_values(tmp_path):
    path = tmp_path / "x.h5"
    assert write_fresh(path, FRESH) == path
    with h5py.File(path) as file:
        assert (file.attrs["schema"], file["a"].attrs["name"]) == ("x/1", "é" * 40_000)
        assert file["a/half"].attrs["dtype"] == "bfloat16"
        assert sorted(file["a"]) == ["empty", "flags", "half", "one", "scalar"]
        for name, values in VALUES.items():
            found = file[name][()]
            assert np.shape(found) == values.shape
            assert np.asarray(found).tobytes() == values.tobytes()


def test_a_file_that_is_there_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_fresh(path, FRESH)
    assert path.stat().st_mode & 0o777 == 0o640
    assert h5py.is_hdf5(path)
    assert [one.name for one in tmp_path.iterdir()] == ["x.h5"]


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link.h5").symlink_to(tmp_path / "x.h5")
    assert write_fresh(tmp_path / "link.h5", FRESH) == tmp_path / "x.h5"
    assert (tmp_path / "link.h5").is_symlink()


def test_what_was_there_stays_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "pwrite", fail)
    with pytest.raises(MachineError, match="No space left"):
        write_fresh(path, FRESH)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x.h5"]


@pytest.mark.parametrize("name", ["none/x.h5", ".", "a\0b"])
def test_a_place_where_no_file_can_be_is_refused(name, tmp_path):
    with pytest.raises(RequestError):
        write_fresh(f"{tmp_path}/{name}", FRESH)

"""Hostile bytes: work, memory and depth are bounded, and what looks like a structure and is none is not taken."""

from __future__ import annotations

import contextlib
import os
import struct

import h5py
import numpy as np
import pytest
from support import write_legacy

from weightkit.access.hdf5.container import Body
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.access.salvage.remains import remains_of
from weightkit.access.salvage.structure.window import Malformed, Window
from weightkit.errors import UnsafeFileError


@contextlib.contextmanager
def left_of(path, limits=DEFAULT_LIMITS):
    fd = os.open(path, os.O_RDONLY)
    try:
        with contextlib.closing(remains_of(Body(fd, 0, path.stat().st_size, str(path)), limits)) as remains:
            yield remains
    finally:
        os.close(fd)


def model(path):
    return write_legacy(path, {name: {"w": np.arange(40.0)} for name in "abc"})


def test_headers_everywhere_are_refused_before_they_cost_much(tmp_path):
    path = tmp_path / "m.h5"
    # Each eight bytes start a header of a megabyte.
    path.write_bytes(model(path).read_bytes()[:700] + struct.pack("<BBHI", 1, 0, 9, 1) * 3 + bytes(8) * 4)
    block = struct.pack("<BBHIII", 1, 0, 9, 1, 1 << 20, 0) + struct.pack("<HHB3s", 1, 8, 0, b"") + bytes(8)
    with path.open("ab") as file:
        file.write(block * 100_000)
    with contextlib.suppress(UnsafeFileError), left_of(path) as remains:
        assert all(remnant.state != "whole" for remnant in remains.remnants)


def test_a_tree_that_contains_itself_ends(tmp_path):
    path = model(tmp_path / "m.h5")
    content = bytearray(path.read_bytes())
    place = content.index(b"TREE")
    content[place + 5] = 1  # a level up, and its child is the node itself
    content[place + 32 : place + 40] = place.to_bytes(8, "little")
    path.write_bytes(content)
    with left_of(path) as remains:
        assert remains.remnants


def test_objects_are_bounded(tmp_path):
    path = model(tmp_path / "m.h5")
    with pytest.raises(UnsafeFileError, match="more than 3 objects"), left_of(path, Limits(objects=3)):
        pass


def test_work_is_bounded(tmp_path):
    path = model(tmp_path / "m.h5")
    fd = os.open(path, os.O_RDONLY)
    window = Window(Body(fd, 0, path.stat().st_size, "m.h5"))
    window.charge(32 * path.stat().st_size)
    with pytest.raises(UnsafeFileError, match="more work"):
        window.charge(64 << 20)
    with pytest.raises(Malformed):
        window.read(path.stat().st_size - 4, 8, "it")
    os.close(fd)


def test_a_header_inside_of_a_weight_is_a_part_of_the_weight(tmp_path):
    """A file may hold the bytes of another as numbers."""
    inner = model(tmp_path / "inner.h5").read_bytes()
    inner = np.frombuffer(inner + bytes(-len(inner) % 8))
    path = write_legacy(tmp_path / "m.h5", {"a": {"w": inner}, "b": {"w": np.arange(9000.0)}})
    path.write_bytes(path.read_bytes()[:-2000])
    with left_of(path) as remains:
        names = {remnant.structure for remnant in remains.remnants if remnant.state == "whole"}
        assert names <= {"a/a/w:0", "b/b/w:0"}


def test_a_header_counts_only_if_all_its_messages_do(tmp_path):
    path = model(tmp_path / "m.h5")
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file["a/a/w:0"].id).addr
    content = bytearray(path.read_bytes())
    content[place + 2] += 1  # one message more than there are
    path.write_bytes(content)
    with left_of(path) as remains:
        states = {remnant.structure: str(remnant.state) for remnant in remains.remnants}
    assert states == {"a/a/w:0": "lost", "b/b/w:0": "whole", "c/c/w:0": "whole"}

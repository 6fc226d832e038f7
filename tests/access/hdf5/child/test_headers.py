"""A header read from its bytes gives what the library gives, whichever bit of it is flipped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5o

from weightkit.access.hdf5.child.headers import LONGEST, is_plain_group, messages_of, plain_dataset

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = {
    "matrix of float32": {"data": np.zeros((3, 5), np.float32)},
    "scalar of float16": {"data": np.float16(2)},
    "big-endian cube with times": {"data": np.zeros((2, 3, 4), ">f8"), "track_times": True},
    "bytes": {"data": np.arange(3, dtype=np.uint8)},
}
OTHER = {
    "chunked": {"data": np.zeros((4, 4)), "chunks": (2, 2)},
    "compressed": {"data": np.zeros((4, 4)), "compression": "gzip"},
    "fill value": {"data": np.zeros(4), "fillvalue": 7.0},
    "text": {"data": "text"},
    "opaque": {"data": np.zeros(4, "V2")},
    "boolean": {"data": np.zeros(4, bool)},
    "compound": {"data": np.zeros(4, [("a", "f4")])},
    "nothing": {"data": h5py.Empty("f4")},
    "no elements": {"data": np.zeros((0, 3))},
    "never written": {"shape": (3,), "dtype": "f4"},
}


def written(path: Path, **options: Any) -> int:
    """Make a file of one dataset; the address of its header."""
    with h5py.File(path, "w") as file:
        return int(h5o.get_info(file.create_dataset("w", **options).id).addr)


def told(content: bytes, address: int) -> dict[str, Any] | None:
    return plain_dataset(messages_of(content[address : address + LONGEST]))


def told_by_h5py(path: Path) -> dict[str, Any] | None:
    """What h5py says about the dataset; None if it cannot open it."""
    try:
        with h5py.File(path) as file:
            found = file["w"]
            creation = found.id.get_create_plist()
            assert creation.get_layout() == h5d.CONTIGUOUS
            assert creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED
            assert (creation.get_nfilters(), creation.get_attr_creation_order(), len(found.attrs)) == (0, 0, 0)
            size = found.id.get_storage_size()
            place = {"offset": found.id.get_offset(), "size": size}
            return {"shape": list(found.shape), "dtype": found.dtype, "element": found.dtype.itemsize} | place
    except (KeyError, OSError):
        return None


def cannot_be(said: dict[str, Any], length: int) -> bool:
    """Whether the parent's checks refuse this."""
    wrong_size = math.prod(said["shape"]) * np.dtype(said["dtype"]).itemsize != said["size"]
    return wrong_size or said["offset"] + said["size"] > length


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_each_bit_of_a_plain_header_is_told_as_h5py_tells_it_or_left_to_the_library(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "turned.h5"
    address = written(path, **options)
    good = path.read_bytes()
    assert told(good, address) == told_by_h5py(path)
    length = 16 + int.from_bytes(good[address + 8 : address + 12], "little")
    accepted = 0
    for bit in range(length * 8):
        turned = bytearray(good)
        turned[address + bit // 8] ^= 1 << bit % 8
        said = told(bytes(turned), address)
        if said is None or cannot_be(said, len(good)):
            continue
        accepted += 1
        path.write_bytes(turned)
        assert said == told_by_h5py(path), f"bit {bit}"
    assert accepted > 8  # those that the header counts its links by, at least


@pytest.mark.parametrize("options", OTHER.values(), ids=OTHER)
def test_what_is_not_plain_is_left_to_the_library(tmp_path: Path, options: dict[str, Any]) -> None:
    address = written(tmp_path / "other.h5", **options)
    assert told((tmp_path / "other.h5").read_bytes(), address) is None


def test_a_dataset_with_attributes_is_left_to_the_library(tmp_path: Path) -> None:
    path = tmp_path / "attributes.h5"
    with h5py.File(path, "w") as file:
        file["w"] = np.zeros(3)
        file["w"].attrs["dtype"] = "float64"
        address = h5o.get_info(file["w"].id).addr
    assert told(path.read_bytes(), address) is None


def test_a_header_that_is_cut_off_anywhere_is_left_to_the_library(tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    address = written(path, data=np.zeros(3))
    good = path.read_bytes()
    length = 16 + int.from_bytes(good[address + 8 : address + 12], "little")
    assert told(good, address) is not None
    assert [cut for cut in range(length) if told(good[: address + cut], address) is not None] == []


@pytest.mark.parametrize("plain", [True, False])
def test_a_group_without_attributes_and_order_is_known(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "groups.h5"
    with h5py.File(path, "w") as file:
        address = h5o.get_info(file.create_group("g", track_order=not plain).id).addr
    assert is_plain_group(messages_of(path.read_bytes()[address : address + LONGEST])) is plain


def test_a_group_with_attributes_is_left_to_the_library(tmp_path: Path) -> None:
    path = tmp_path / "groups.h5"
    with h5py.File(path, "w") as file:
        file.create_group("g").attrs["name"] = "dense"
        address = h5o.get_info(file["g"].id).addr
    assert not is_plain_group(messages_of(path.read_bytes()[address : address + LONGEST]))

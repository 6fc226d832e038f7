"""Types and shapes told by their bytes: the same as the library's own descriptions."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from weightkit.access.salvage.structure.stored_types import LONG_TEXT, OTHER, shape_of, type_of
from weightkit.access.salvage.structure.window import Malformed

CODES = [f"{order}f{size}" for order in "<>" for size in (2, 4, 8)]
CODES += [f"{order}{sign}{size}" for order in "<>" for sign in "iu" for size in (2, 4, 8)] + ["<i1", "<u1"]


def described(dtype):
    return bytes(h5py.h5t.py_create(dtype, logical=True).encode())[2:]  # without the mark of the encoding


@pytest.mark.parametrize("code", CODES)
def test_plain_numbers_have_the_librarys_description(code):
    assert type_of(described(np.dtype(code))) == (code, np.dtype(code).itemsize)


@pytest.mark.parametrize(
    ("dtype", "code"),
    [(np.dtype(bool), "|b1"), (np.dtype("V2"), "|V2"), (h5py.string_dtype(), LONG_TEXT), (np.dtype("c8"), OTHER)],
)
def test_other_types_are_told_apart(dtype, code):
    content = bytearray(described(dtype))
    if code == LONG_TEXT:
        content[4:8] = (16).to_bytes(4, "little")  # in a file, a pointer has more bytes than in memory
    assert type_of(bytes(content))[0] == code


@pytest.mark.parametrize("place", range(20))
def test_a_number_with_one_changed_bit_is_no_plain_number_of_the_same_type(place):
    content = bytearray(described(np.dtype("<f4")))
    content[place] ^= 0x40
    try:
        code, _ = type_of(bytes(content))
    except Malformed:
        return
    assert code != "<f4"


@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 5)])
def test_shapes_are_those_of_the_library(shape):
    space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    content = bytes(space.encode())
    # The description starts behind the mark, the version and the sizes of the encoding.
    assert shape_of(content[content.index(b"\1", 7) :][: 8 + 16 * len(shape)]) == shape


def test_a_shape_beyond_its_own_limit_is_none():
    with pytest.raises(Malformed):
        shape_of(bytes([1, 1, 1, 0, 0, 0, 0, 0]) + (9).to_bytes(8, "little") + (3).to_bytes(8, "little"))

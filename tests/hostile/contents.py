"""Types that are no plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from tests.hostile.case import (
    DAMAGED,
    UNSUPPORTED,
    WEIGHTS,
    contained,
    le,
    refused,
    replace,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Kinds = dict[str, Callable[[], Any]]

HERE = f"{WEIGHTS}/2"
NUMBERS = "only plain numbers and booleans can be weights"
LEFT: dict[str, Any] = {"scale": (0, 2, 3), "strip": (0, 3)}
"""What is no number may be listed; an edit may leave it, or refuse."""


def _float(size: int, *fields: int) -> h5t.TypeID:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(*fields)
    kind.set_size(size)
    return kind


def _precise(kind: h5t.TypeID, precision: int, offset: int = 0) -> h5t.TypeID:
    kind = kind.copy()
    kind.set_precision(precision)
    kind.set_offset(offset)
    return kind


def _three_bytes() -> h5t.TypeID:
    kind = h5t.STD_I32LE.copy()
    kind.set_precision(24)
    kind.set_size(3)
    return kind


def _enumeration(base: h5t.TypeID, **members: int) -> h5t.TypeID:
    kind = h5t.enum_create(base)
    for name, value in members.items():
        kind.enum_insert(name.encode(), value)
    return kind


def _string(size: int) -> h5t.TypeID:
    kind = h5t.C_S1.copy()
    kind.set_size(size)
    return kind


def _opaque(size: int, tag: bytes = b"") -> h5t.TypeID:
    kind = h5t.create(h5t.OPAQUE, size)
    kind.set_tag(tag)
    return kind


def _compound() -> h5t.TypeID:
    kind = h5t.create(h5t.COMPOUND, 12)
    kind.insert(b"a", 0, h5t.IEEE_F32LE)
    kind.insert(b"b", 4, h5t.IEEE_F64LE)
    return kind


TYPES: Kinds = {
    "text_fixed": lambda: _string(7),
    "text_of_any_length": lambda: _string(h5t.VARIABLE),
    "text_of_a_megabyte": lambda: _string(1 << 20),
    "ragged": lambda: h5t.vlen_create(h5t.IEEE_F32LE),
    "ragged_of_ragged": lambda: h5t.vlen_create(h5t.vlen_create(h5t.IEEE_F32LE)),
    "compound": _compound,
    "complex": lambda: h5t.py_create(np.dtype("c8")),
    "array": lambda: h5t.array_create(h5t.IEEE_F32LE, (3,)),
    "reference": lambda: h5t.STD_REF_OBJ,
    "region": lambda: h5t.STD_REF_DSETREG,
    "enumeration": lambda: _enumeration(h5t.STD_I8LE, A=0, B=7),
    "boolean_inside_out": lambda: _enumeration(h5t.STD_I8LE, FALSE=1, TRUE=0),
    "boolean_of_four_bytes": lambda: _enumeration(h5t.STD_I32LE, FALSE=0, TRUE=1),
    "opaque_1": lambda: _opaque(1),
    "opaque_3": lambda: _opaque(3),
    "opaque_2_with_a_tag": lambda: _opaque(2, b"\x1b[31mtag"),
    "opaque_large": lambda: _opaque(60_000),
    "bit_field": lambda: h5t.STD_B32LE,
    "long_double": lambda: h5t.NATIVE_LDOUBLE,
    "integer_of_three_bytes": _three_bytes,
    "integer_of_seven_bits": lambda: _precise(h5t.STD_I8LE, 7),
    "integer_shifted": lambda: _precise(h5t.STD_I32LE, 20, 4),
    "float_of_eight_bits": lambda: _float(1, 7, 3, 4, 0, 3),
    "bfloat16_as_float": lambda: _float(2, 15, 7, 8, 0, 7),
    "float_inside_out": lambda: _float(4, 0, 1, 8, 9, 23),
    "time": lambda: h5t.UNIX_D32LE,
}


def _types() -> None:
    for name, kind in TYPES.items():

        def make(path: Path, kind: Callable[[], h5t.TypeID] = kind) -> None:
            with variables(path) as file:
                creation = h5p.create(h5p.DATASET_CREATE)
                creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
                h5d.create(file[WEIGHTS].id, b"2", kind(), h5s.create_simple((3,)), creation)

        what = f"a weight of {name.replace('_', ' ')} is listed and never taken for numbers"
        contained(f"type_{name}.weights.h5", what, NUMBERS, UNSUPPORTED, DAMAGED, weights=5, **LEFT)(make)


_types()


@contained("type_of_no_space.weights.h5", "a dataset that can hold nothing is no obstacle", NUMBERS, weights=5)
def _null(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = h5py.Empty("f4")


@refused("type_of_size_zero.weights.h5", "a number of no bytes is refused", NUMBERS, DAMAGED, UNSUPPORTED)
def _zero(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, data=np.zeros(5, "V4801"))
    replace(path, le(4801, 4), le(0, 4), times=None)


@contained(
    "float_order_vax.weights.h5", "a number in VAX's byte order is not taken for ours", NUMBERS, DAMAGED, UNSUPPORTED,
    show=(0, 3), **LEFT,
)  # fmt: skip
def _vax(path: Path) -> None:
    with variables(path) as file:
        kind = h5t.IEEE_F32LE.copy()
        kind.set_order(h5t.ORDER_VAX)
        h5d.create(file[WEIGHTS].id, b"2", kind, h5s.create_simple((3,)))

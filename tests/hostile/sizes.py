"""Sizes that lie, and values over each other."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from tests.hostile.case import (
    BIAS,
    DAMAGED,
    OPTIMIZER,
    REFUSED,
    UNSAFE,
    UNSUPPORTED,
    WEIGHTS,
    contained,
    le,
    overwrite,
    refused,
    replace,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIES = "the file cannot hold what it declares"
LENGTH = 7919  # a prime number of elements, found again in the bytes
ODD = np.arange(LENGTH, dtype="f4")
HERE = f"{WEIGHTS}/2"
TB = 1 << 38  # elements of four bytes: a terabyte
_EOF = 40  # where a superblock of version 0 says how long the file is
NO_EDIT = {"scale": (3,)}
READS: dict[str, Any] = {"show": (0, 3), "scale": (3,), "strip": (0, 3)}
"""It is enough to refuse it when its values are asked for."""


def odd(path: Path) -> tuple[int, int]:
    """A version-3 file with one more weight; offset and size of its values."""
    with variables(path) as file:
        file[HERE] = ODD
        return file[HERE].id.get_offset(), file[HERE].id.get_storage_size()


def _moved(path: Path, offset: int, size: int | None = None) -> None:
    was, length = odd(path)
    replace(path, le(was) + le(length), le(offset) + le(length if size is None else size))


def _place(path: Path, name: str) -> int:
    with h5py.File(path) as file:
        return int(h5py.h5o.get_info(file[name].id).addr)


def _superblock() -> None:
    for name, length in {"long": 1 << 40, "longer_by_one": None, "huge": 1 << 63, "undefined": (1 << 64) - 1}.items():

        def make(path: Path, length: int | None = length) -> None:
            odd(path)
            overwrite(path, _EOF, le(path.stat().st_size + 1 if length is None else length))

        refused(
            f"superblock_{name}.weights.h5", f"a superblock that tells a wrong size ({name}) is refused", LIES, DAMAGED
        )(make)

    for name, place in {"base": 24, "root": 64, "offset_size": 13, "version": 8}.items():

        def spoil(path: Path, place: int = place) -> None:
            odd(path)
            overwrite(path, place, b"\xf0\xff")

        refused(f"superblock_{name}.weights.h5", f"a superblock with a wrong {name} is refused", LIES, DAMAGED)(spoil)


_superblock()


@refused("superblock_short.weights.h5", "a superblock that tells less than the file holds is refused", LIES, DAMAGED)
def _short(path: Path) -> None:
    odd(path)
    overwrite(path, _EOF, le(2048))


def _oversize() -> None:
    """A copy of more bytes than the new file has room for would run over what comes after it."""
    types: dict[str, Any] = {
        "compound": np.dtype([("a", "f4"), ("b", "i4")]),
        "text": np.dtype("S8"),
        "array": np.dtype(("f4", (2,))),
        "enumeration": h5py.enum_dtype({"A": 0, "B": 7}, "i8"),
        "opaque": np.dtype("V8"),
        "reference": h5py.ref_dtype,
    }
    for name, dtype in types.items():

        def make(path: Path, dtype: Any = dtype) -> None:
            with variables(path) as file:
                created = h5p.create(h5p.DATASET_CREATE)
                created.set_alloc_time(h5d.ALLOC_TIME_EARLY)
                kind = h5t.py_create(dtype, logical=True)
                odd = h5d.create(file[WEIGHTS].id, b"odd", kind, h5s.create_simple((9,)), created)
                was, room = odd.get_offset(), odd.get_storage_size()
                file[HERE] = ODD  # the bytes after it, so that the larger size is still in the file
            replace(path, le(was) + le(room), le(was) + le(4096))

        refused(
            f"oversize_{name}.weights.h5", f"a dataset ({name}) that takes more than it needs is refused", LIES, DAMAGED
        )(make)


_oversize()


def _shapes() -> None:
    for name, length in {"2_62": 1 << 62, "2_63": 1 << 63, "2_64": (1 << 64) - 1, "more": LENGTH + 1}.items():

        def make(path: Path, length: int = length) -> None:
            odd(path)
            replace(path, le(LENGTH), le(length), times=None)

        refused(f"shape_{name}.weights.h5", f"a weight of {name} elements in one piece is refused", LIES, DAMAGED)(make)


_shapes()


@refused("shape_wraps.weights.h5", "axes whose product wraps to the stored size are refused", LIES, DAMAGED)
def _wraps(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = np.zeros((LENGTH, 8, 1), "u1")
    axis = pow(3, -1, 1 << 64) * LENGTH  # 3 * axis is LENGTH, modulo 2^64
    replace(path, le(LENGTH) + le(8) + le(1), le(3) + le(axis) + le(8), times=None)


@contained(
    "shape_of_nothing.weights.h5",
    "no elements along one axis and 2^59 along another hold nothing",
    "nothing is stored, nothing is read",
    weights=5,
)
def _nothing(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, (0, 1 << 59), "f4")


@refused("shape_of_nothing_times_2_63.weights.h5", "axes that nothing can have are refused", LIES, DAMAGED)
def _nothing_wide(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, (0, LENGTH), "f4")
    replace(path, le(LENGTH), le(1 << 63), times=None)


def _offsets() -> None:
    for name, offset in {"beyond": 1 << 30, "far_beyond": 1 << 62, "negative": -4096, "last": -2}.items():

        def make(path: Path, offset: int = offset) -> None:
            _moved(path, offset)

        refused(f"values_{name}.weights.h5", f"values that lie {name} are refused", LIES, DAMAGED)(make)


_offsets()


@refused("values_over_the_end.weights.h5", "values that run over the end of the file are refused", LIES, DAMAGED)
def _over_the_end(path: Path) -> None:
    odd(path)
    _moved(path, path.stat().st_size - LENGTH * 4 + 1)


@refused("values_size_huge.weights.h5", "values of 2^63 bytes are refused", LIES, DAMAGED)
def _size(path: Path) -> None:
    was, _ = odd(path)
    _moved(path, was, 1 << 63)


OVER = "editing one would change the other"


@refused("values_over_values.weights.h5", "two weights at one place are refused", OVER, DAMAGED)
def _twins(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = ODD
        file[f"{WEIGHTS}/3"] = ODD
        first, second = (file[f"{WEIGHTS}/{number}"].id.get_offset() for number in (2, 3))
    replace(path, le(second), le(first))


@refused("values_over_half.weights.h5", "two weights that share some bytes are refused", OVER, DAMAGED)
def _half(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = ODD
        file[f"{WEIGHTS}/3"] = ODD
        first, second = (file[f"{WEIGHTS}/{number}"].id.get_offset() for number in (2, 3))
    replace(path, le(second), le(first + 400))


def _over_structure() -> None:
    def small(path: Path) -> int:
        with variables(path) as file:
            file[HERE] = np.arange(1, 8, dtype="f4")
            return int(file[HERE].id.get_offset())

    spots: dict[str, Callable[[Path], int]] = {
        "the_signature": lambda _: 0,
        "the_superblock": lambda _: 20,
        "the_root": lambda path: _place(path, "/"),
        "a_header": lambda path: _place(path, f"{WEIGHTS}/0") - 4,
        "its_own_header": lambda path: _place(path, HERE),
        "the_middle_of_a_header": lambda path: _place(path, f"{WEIGHTS}/0") + 24,
        "a_tree": lambda path: path.read_bytes().index(b"TREE"),
        "a_heap": lambda path: path.read_bytes().index(b"HEAP"),
        "the_names": lambda path: path.read_bytes().index(b"layers\0") - 4,
        "a_table": lambda path: path.read_bytes().index(b"SNOD"),
    }
    for name, spot in spots.items():

        def make(path: Path, spot: Callable[[Path], int] = spot) -> None:
            was = small(path)
            replace(path, le(was) + le(28), le(spot(path)) + le(28))

        contained(
            f"values_over_{name}.weights.h5",
            f"values that lie over {name.replace('_', ' ')} are never edited",
            OVER,
            DAMAGED,
            **READS,
        )(make)


_over_structure()


def _declared() -> None:
    """A terabyte in a file of some kilobytes."""
    options: dict[str, dict[str, Any]] = {
        "chunked": {"chunks": (1 << 20,)},
        "compressed": {"chunks": (1 << 20,), "compression": "gzip"},
        "checked": {"chunks": (1 << 20,), "shuffle": True, "fletcher32": True},
        "in_tiny_chunks": {"chunks": (1,)},
        "extendible": {"chunks": (1 << 20,), "maxshape": (None,)},
    }
    for name, option in options.items():

        def make(path: Path, option: dict[str, Any] = option) -> None:
            with variables(path) as file:
                dataset = file.create_dataset(HERE, (TB,), "f4", **option)
                dataset[0] = 1

        refused(
            f"terabyte_{name}.weights.h5", f"a declared terabyte ({name}) is refused at once", LIES, UNSAFE, DAMAGED
        )(make)


_declared()


@contained(
    "terabyte_never_written.weights.h5", "a terabyte never written is never made", LIES, UNSUPPORTED, UNSAFE, **READS
)
def _never(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, (TB,), "f4")


@refused("terabyte_of_fill.weights.h5", "a terabyte of a fill value is refused", LIES, UNSAFE, DAMAGED)
def _fill(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, (TB,), "f4", chunks=(1 << 20,), fillvalue=3.0)


@refused("terabyte_for_the_optimizer.weights.h5", "a declared terabyte of state is refused", LIES, UNSAFE, DAMAGED)
def _state(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(f"{OPTIMIZER}/2", (TB,), "f4", chunks=(1 << 20,))[0] = 1


@contained(
    "one_chunk_of_a_gigabyte.weights.h5",
    "a chunk of a gigabyte is refused where its values are read",
    "it must fit memory",
    UNSAFE,
    DAMAGED,
    large=True,
    scale=(REFUSED,),
)
def _one_chunk(path: Path) -> None:
    with variables(path) as file:
        dataset = file.create_dataset(HERE, (1 << 28,), "f4", chunks=(1 << 28,), compression="gzip")
        inflater = zlib.compressobj(9)
        content = [inflater.compress(bytes(1 << 20)) for _ in range(1 << 10)]
        dataset.id.write_direct_chunk((0,), b"".join([*content, inflater.flush()]))


@contained("compact_lying.weights.h5", "a weight in its header that claims more is refused", LIES, DAMAGED, **READS)
def _compact(path: Path) -> None:
    with variables(path) as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_layout(h5d.COMPACT)
        h5d.create(file[WEIGHTS].id, b"2", h5t.IEEE_F32LE, h5s.create_simple((101,)), creation).write(
            h5s.ALL, h5s.ALL, np.arange(101, dtype="f4")
        )
    replace(path, le(101), le(1 << 40), times=None)


@contained("compact.weights.h5", "a weight in its header is read", "it is plain data", weights=5)
def _compact_sound(path: Path) -> None:
    with variables(path) as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_layout(h5d.COMPACT)
        h5d.create(file[WEIGHTS].id, b"2", h5t.IEEE_F32LE, h5s.create_simple((4,)), creation).write(
            h5s.ALL, h5s.ALL, BIAS
        )

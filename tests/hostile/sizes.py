"""Sizes that lie, values over each other, and chunks that are not what they should be."""

from __future__ import annotations

import functools
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
    "no elements along one axis and 2^62 along another hold nothing",
    "nothing is stored, nothing is read",
    weights=5,
)
def _nothing(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, (0, 1 << 62), "f4")


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


WRONG = "HDF5 would hand out stale memory, or more than was asked for"
VALUES = np.arange(100, dtype="<f4").tobytes()


@functools.cache
def _bomb() -> bytes:
    """What inflates to 256 MiB; it takes a second to make, and is not made where its files are not."""
    return zlib.compress(bytes(256 << 20), 9)


def chunked(path: Path, chunks: dict[int, tuple[bytes, int]], **options: Any) -> None:
    """A version-3 file with one weight of 300 elements in three chunks, each of these bytes and filter mask."""
    with variables(path) as file:
        dataset = file.create_dataset(HERE, (300,), "<f4", chunks=(100,), **options)
        for number in range(3):
            content, mask = chunks.get(number, (None, 0))
            if content is None:
                dataset[number * 100 : number * 100 + 100] = np.arange(100)
            else:
                dataset.id.write_direct_chunk((number * 100,), content, filter_mask=mask)


def _chunks() -> None:
    gzip, shuffle = {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}
    checked = {"fletcher32": True}
    sound = zlib.compress(VALUES)
    spoiled: dict[str, tuple[bytes | Callable[[], bytes], int, dict[str, Any]]] = {
        "short_inflated": (zlib.compress(VALUES[:-4]), 0, gzip),
        "empty_inflated": (zlib.compress(b""), 0, gzip),
        "long_inflated": (zlib.compress(VALUES + b"more"), 0, gzip),
        "bomb": (_bomb, 0, gzip),
        "bomb_shuffled": (_bomb, 0, shuffle),
        "noise": (b"\x78\x9c" + bytes(range(200)), 0, gzip),
        "cut": (sound[:-20], 0, gzip),
        "wrong_adler": (sound[:-1] + bytes([sound[-1] ^ 1]), 0, gzip),
        "without_adler": (sound[:-4], 0, gzip),
        "needs_a_dictionary": (b"\x78\xbb" + bytes(60), 0, gzip),
        "one_byte": (b"x", 0, gzip),
        "short": (VALUES[:-4], 0, {}),
        "long": (VALUES + bytes(4), 0, {}),
        "short_shuffled": (zlib.compress(VALUES[:-1]), 0, shuffle),
        "wrong_checksum": (VALUES + b"abcd", 0, checked),
        "no_checksum": (VALUES, 0, checked),
        "only_a_checksum": (b"abc", 0, checked),
        "skipped_and_short": (VALUES[:-4], 1, gzip),
        "skipped_and_compressed": (sound, 1, gzip),
    }
    for name, (content, mask, options) in spoiled.items():

        def make(path: Path, spoiled: Any = (content, mask), options: dict[str, Any] = options) -> None:
            content, mask = spoiled
            chunked(path, {1: (content() if callable(content) else content, mask)}, **options)

        contained(
            f"chunk_{name}.weights.h5", f"a chunk that is {name.replace('_', ' ')} is refused", WRONG, DAMAGED, **READS
        )(make)
    fine: dict[str, tuple[bytes, int, dict[str, Any]]] = {
        "filters_skipped": (VALUES, 0b1, gzip),
        "trailing_bytes": (sound + b"trailing", 0, gzip),
        "checksum_skipped": (VALUES, 0b1, checked),
    }
    for name, (content, mask, options) in fine.items():

        def make_fine(path: Path, content: Any = (content, mask), options: dict[str, Any] = options) -> None:
            chunked(path, {1: content}, **options)

        contained(
            f"chunk_{name}.weights.h5", f"a chunk ({name.replace('_', ' ')}) is read", "the format allows it", DAMAGED,
            weights=5, scale=(0, 3), strip=(0, 3),
        )(make_fine)  # fmt: skip


_chunks()


def _nodes(path: Path) -> list[int]:
    """Where in the file the entries of the chunks' tree begin: size, mask, offsets, then the address."""
    raw = path.read_bytes()
    node = raw.index(b"TREE\x01")
    return [node + 24 + number * (8 + 16 + 8) for number in range(3)]


def _tree() -> None:
    spoiled: dict[str, tuple[int, bytes]] = {
        "size_huge": (0, le(0xFFFFFFFF, 4)),
        "size_zero": (0, le(0, 4)),
        "size_beyond": (0, le(1 << 24, 4)),
        "off_the_grid": (8, le(7)),
        "outside": (8, le(1 << 40)),
        "at_another": (8, le(0)),
        "address_beyond": (24, le(1 << 40)),
        "address_of_the_root": (24, le(96)),
        "address_of_the_signature": (24, le(0)),
        "address_undefined": (24, le(-1)),
    }
    for name, (place, content) in spoiled.items():

        def make(path: Path, place: int = place, content: bytes = content) -> None:
            chunked(path, {})
            overwrite(path, _nodes(path)[1] + place, content)

        exits = READS | ({"scale": (0, 3)} if name == "address_undefined" else {})
        contained(
            f"tree_{name}.weights.h5",
            f"a chunk's entry with {name.replace('_', ' ')} is refused",
            LIES,
            DAMAGED,
            UNSAFE,
            **exits,
        )(make)

    for name, make_tree in {"node_cut": b"TREX", "level_high": b"TREE\x01\x20"}.items():

        def cut(path: Path, content: bytes = make_tree) -> None:
            chunked(path, {})
            overwrite(path, path.read_bytes().index(b"TREE\x01"), content)

        contained(
            f"tree_{name}.weights.h5",
            f"a chunk tree with {name.replace('_', ' ')} is refused",
            LIES,
            DAMAGED,
            UNSAFE,
            **READS,
        )(cut)


_tree()


@contained(
    "chunks_over_each_other.weights.h5", "chunks that share their bytes are refused", OVER, DAMAGED, UNSAFE, **READS
)
def _shared_chunks(path: Path) -> None:
    chunked(path, {})
    first, *others = _nodes(path)
    address = path.read_bytes()[first + 24 : first + 32]
    for other in others:
        overwrite(path, other + 24, address)


@contained(
    "chunks_over_values.weights.h5", "a chunk over another weight's values is refused", OVER, DAMAGED, UNSAFE, **READS
)
def _chunk_over(path: Path) -> None:
    chunked(path, {})
    with h5py.File(path) as file:
        file_offset = file[f"{OPTIMIZER}/1"].id.get_offset()
    overwrite(path, _nodes(path)[1] + 24, le(file_offset))


@contained(
    "quilt_of_one_bomb.weights.h5",
    "a thousand chunks that are one small bomb are refused where their values are read",
    "some megabytes would become 4 GB on the disk",
    DAMAGED,
    UNSAFE,
    large=True,
    scale=(REFUSED,),
)
def _quilt(path: Path) -> None:
    content = zlib.compress(bytes(4 << 20), 9)
    with variables(path) as file:
        dataset = file.create_dataset(HERE, (1000, 1 << 20), "f4", chunks=(1, 1 << 20), compression="gzip")
        for number in range(1000):
            dataset.id.write_direct_chunk((number, 0), content)
        address = dataset.id.get_chunk_info(0).byte_offset
        addresses = [dataset.id.get_chunk_info(number).byte_offset for number in range(1, 1000)]
    raw = bytearray(path.read_bytes())
    for other in addresses:
        place = raw.find(le(other))
        if place >= 0:
            raw[place : place + 8] = le(address)
    path.write_bytes(raw)


FILTER = "only deflate, shuffle and fletcher32 are run"


def _filtered(path: Path, **options: Any) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, data=np.arange(300, dtype="i4"), chunks=(100,), **options)


def _foreign_filters() -> None:
    options: dict[str, dict[str, Any]] = {"lzf": {"compression": "lzf"}, "scaleoffset": {"scaleoffset": 0}}
    for name, option in options.items():

        def plain(path: Path, option: dict[str, Any] = option) -> None:
            _filtered(path, **option)

        refused(f"filter_{name}.weights.h5", f"the filter {name} is refused", FILTER, UNSUPPORTED)(plain)
    for code in (0, 4, 5, 256, 32001, 32004, 32015, 65535):

        def make(path: Path, code: int = code) -> None:
            _filtered(path, compression="gzip")
            overwrite(path, path.read_bytes().index(b"deflate\0") - 8, le(code, 2))

        refused(f"filter_{code}.weights.h5", f"the filter {code} is refused", FILTER, UNSUPPORTED, DAMAGED)(make)


def _filter_options() -> None:
    odd: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
        "deflate": ({"compression": "gzip"}, (0, 10, 99, 0xFFFFFFFF)),
        "shuffle": ({"shuffle": True}, (0, 1, 3, 1 << 16, 0xFFFFFFFF)),
    }
    for name, (options, numbers) in odd.items():
        for number in numbers:

            def make(path: Path, name: str = name, options: Any = options, number: int = number) -> None:
                _filtered(path, **options)
                overwrite(path, path.read_bytes().index(name.encode() + b"\0") + 8, le(number, 4))

            contained(
                f"{name}_option_{number}.weights.h5", f"{name} with the option {number} is contained", FILTER, DAMAGED,
                UNSUPPORTED, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
            )(make)  # fmt: skip


_foreign_filters()
_filter_options()


@refused("filters_33.weights.h5", "33 filters in one pipeline are refused", FILTER, DAMAGED, UNSUPPORTED)
def _too_many(path: Path) -> None:
    _filtered(path, compression="gzip")
    overwrite(path, path.read_bytes().index(b"deflate\0") - 15, b"\x21")


@contained(
    "deflate_thirty_times.weights.h5", "deflate thirty times over is contained", "each step is bounded", DAMAGED,
    UNSUPPORTED, UNSAFE, show=(0, 3), scale=(0, 3), strip=(0, 3),
)  # fmt: skip
def _thirty_times(path: Path) -> None:
    with variables(path) as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((100,))
        for _ in range(30):
            creation.set_deflate(1)
        h5d.create(file[WEIGHTS].id, b"2", h5t.IEEE_F32LE, h5s.create_simple((300,)), creation)
        file[HERE][:] = 1


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

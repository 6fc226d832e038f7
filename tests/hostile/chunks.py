"""Chunks that are not what they should be."""

from __future__ import annotations

import functools
import zlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from tests.hostile.case import (
    DAMAGED,
    OPTIMIZER,
    REFUSED,
    UNSAFE,
    WEIGHTS,
    contained,
    le,
    overwrite,
    refused,
    replace,
    variables,
)
from tests.hostile.sizes import HERE, LIES, OVER, READS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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

        exits = READS | {"stats": (REFUSED,)}
        contained(
            f"chunk_{name}.weights.h5", f"a chunk that is {name.replace('_', ' ')} is refused", WRONG, DAMAGED, **exits
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


def _over() -> None:
    """A chunk whose bytes are another weight's too: an edit of either would change both."""
    spots: dict[str, Callable[[h5py.File], int]] = {
        "state": lambda file: int(file[f"{OPTIMIZER}/1"].id.get_offset()),
        "values": lambda file: int(file[f"{WEIGHTS}/0"].id.get_offset()),
        "the_end_of_values": lambda file: int(file[f"{WEIGHTS}/0"].id.get_offset()) + 44,
        "another_s_chunk": lambda file: int(file[f"{WEIGHTS}/3"].id.get_chunk_info(0).byte_offset) + 4,
    }
    for name, spot in spots.items():

        def make(path: Path, spot: Callable[[h5py.File], int] = spot) -> None:
            chunked(path, {})
            with h5py.File(path, "r+") as file:
                file.create_dataset(f"{WEIGHTS}/3", data=np.arange(100, dtype="f4"), chunks=(100,))
            with h5py.File(path) as file:
                place = spot(file)
            overwrite(path, _nodes(path)[1] + 24, le(place))

        refused(f"chunk_over_{name}.weights.h5", f"a chunk over {name.replace('_', ' ')} is refused", OVER, DAMAGED)(
            make
        )


_over()


def _among_tables() -> None:
    """Values over what says where other values are, or over values that lie among the file's own tables."""

    def tree(path: Path) -> int:
        return _nodes(path)[1] + 8

    def header(path: Path) -> int:
        return path.read_bytes().index(b"in a header")

    spots: dict[str, Callable[[Path], int]] = {"a_chunk_tree": tree, "values_in_a_header": header}
    for name, spot in spots.items():

        def make(path: Path, spot: Callable[[Path], int] = spot) -> None:
            chunked(path, {})
            with h5py.File(path, "r+") as file:
                creation = h5p.create(h5p.DATASET_CREATE)
                creation.set_layout(h5d.COMPACT)
                held = np.frombuffer(b"this one is in a header, and longer than the weight.", "<f4")
                space = h5s.create_simple(held.shape)
                h5d.create(file["layers/dense"].id, b"held", h5t.IEEE_F32LE, space, creation).write(
                    h5s.ALL, h5s.ALL, held
                )
                file[f"{WEIGHTS}/3"] = np.arange(1, 8, dtype="f4")
                was = file[f"{WEIGHTS}/3"].id.get_offset()
            replace(path, le(was) + le(28), le(spot(path)) + le(28))

        contained(
            f"values_over_{name}.weights.h5",
            f"values that lie over {name.replace('_', ' ')} are edited apart or not at all",
            OVER,
            DAMAGED,
            **READS | {"scale": (0, 3)},  # a rebuilt file gives each a place of its own
        )(make)


_among_tables()


@refused(
    "quilt_of_one_bomb.weights.h5",
    "a thousand chunks that are one small bomb overlap, and are refused at opening",
    "some megabytes would become 4 GB on the disk",
    DAMAGED,
    large=True,
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

"""What a scan says of one dataset, compared with plain h5py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5f, h5p, h5s, h5t

from weightkit.access.files.openfile import OpenFile

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.hdf5.scanner import Scanner

MIXED = np.dtype([("a", "i1"), ("text", h5py.string_dtype()), ("to", h5py.ref_dtype), ("b", "f8")])
TYPES: dict[str, Any] = {
    "float32": "f4",
    "big-endian integer": ">i2",
    "truth": "?",
    "long double": np.longdouble,
    "complex": "c8",
    "opaque": "V5",
    "text": "S3",
    "text of variable length": h5py.string_dtype(),
    "list": h5py.vlen_dtype("f4"),
    "reference": h5py.ref_dtype,
    "reference to a region": h5py.regionref_dtype,
    "enumeration": h5py.enum_dtype({"A": 0, "B": 7}, "i4"),
    "compound": np.dtype([("a", "i4"), ("b", "f8"), ("c", "S3")]),
    "mixed": MIXED,
    "mixed, in itself": np.dtype([("x", MIXED), ("y", MIXED), ("z", "i2")]),
}
COUNT = 7


def records(scanner: Scanner, path: Path) -> dict[str, Any]:
    with OpenFile(path) as source:
        told = scanner.records(source.fd, 0, source.size)
        return {record["path"]: record for record in told if record["type"] == "dataset"}


@pytest.mark.parametrize("sizes", [(8, 8), (4, 4)])
def test_an_element_has_the_bytes_that_it_takes_in_the_file(
    scanner: Scanner, tmp_path: Path, sizes: tuple[int, int]
) -> None:
    """h5py's own sizes are those in memory, where text and lists are pointers."""
    path = tmp_path / "types.h5"
    form = h5p.create(h5p.FILE_CREATE)
    form.set_sizes(*sizes)
    early = h5p.create(h5p.DATASET_CREATE)
    early.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    stored = {}
    with h5py.File(h5f.create(str(path).encode(), fcpl=form)) as file:
        for name, dtype in TYPES.items():
            kind = h5t.py_create(np.dtype(dtype), logical=True)
            made = h5d.create(file.id, name.encode(), kind, h5s.create_simple((COUNT,)), early)
            stored[name] = made.get_storage_size() // COUNT
            assert stored[name] * COUNT == made.get_storage_size()
    said = records(scanner, path)
    assert {name: said[name]["element"] for name in TYPES} == stored
    assert stored["text of variable length"] == 8 + sizes[0]


CHUNKED: dict[str, Any] = {
    "plain": {},
    "compressed": {"compression": "gzip", "shuffle": True},
    "checked": {"fletcher32": True},
    "growing": {"maxshape": (None, 7)},
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("block", [0, 512])
def test_every_chunk_is_told_of_where_its_bytes_are(scanner: Scanner, tmp_path: Path, block: int, libver: str) -> None:
    path, values = tmp_path / "chunks.h5", np.arange(70, dtype="f4").reshape(10, 7)
    with h5py.File(path, "w", userblock_size=block, libver=libver) as file:
        for name, options in CHUNKED.items():
            file.create_dataset(name, data=values, chunks=(4, 3), **options)
        file.create_dataset("empty", (10, 7), "f4", chunks=(4, 3))
    raw, told = path.read_bytes(), spans(scanner, path)
    with h5py.File(path) as file:
        for name in CHUNKED:
            chunks = [file[name].id.read_direct_chunk((row, column))[1] for row in (0, 4, 8) for column in (0, 3, 6)]
            assert sorted(raw[place : place + size] for place, size in told[name]) == sorted(chunks), name
    assert "empty" not in told


def test_thousands_of_chunks_are_told_of_in_parts(scanner: Scanner, tmp_path: Path) -> None:
    path = tmp_path / "chunks.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=np.arange(9000, dtype="u1"), chunks=(1,))
    assert sorted(spans(scanner, path)["d"]) == sorted(set(spans(scanner, path)["d"]))
    assert len(spans(scanner, path)["d"]) == 9000


def spans(scanner: Scanner, path: Path) -> dict[str, list[tuple[int, int]]]:
    """Place and size of each chunk by dataset, of records of at most 4,096 each."""
    found: dict[str, list[tuple[int, int]]] = {}
    with OpenFile(path) as source:
        for record in scanner.records(source.fd, 0, source.size):
            if record["type"] == "chunks":
                numbers = record["spans"]
                assert 0 < len(numbers) <= 2 * 4096
                found.setdefault(record["path"], []).extend(zip(numbers[::2], numbers[1::2], strict=True))
    return found


def test_the_digest_of_a_chunk_table_notices_each_change_of_it(scanner: Scanner, tmp_path: Path) -> None:
    def digest(name: str, *writes: tuple[int, bytes, int]) -> str:
        with h5py.File(tmp_path / name, "w") as file:
            made = file.create_dataset("d", (12,), "f4", chunks=(4,), compression="gzip")
            for place, content, mask in writes:
                made.id.write_direct_chunk((place,), content, mask)
        return str(records(scanner, tmp_path / name)["d"]["table"])

    one = digest("one.h5", (0, b"a chunk", 0), (4, b"another", 0))
    others = {
        digest("size.h5", (0, b"a chunk", 0), (4, b"others", 0)),
        digest("mask.h5", (0, b"a chunk", 0), (4, b"another", 1)),
        digest("place.h5", (0, b"a chunk", 0), (8, b"another", 0)),
        digest("fewer.h5", (0, b"a chunk", 0)),
        digest("order.h5", (4, b"a chunk", 0), (0, b"another", 0)),
    }
    assert len(others | {one}) == 6
    assert digest("same.h5", (0, b"a chunk", 0), (4, b"another", 0)) == one


@pytest.mark.parametrize("layout", [h5d.CONTIGUOUS, h5d.COMPACT])
def test_the_digest_of_text_notices_each_change_of_it(scanner: Scanner, tmp_path: Path, layout: int) -> None:
    """And is the same wherever in a file the text is."""

    def digest(name: str, *texts: str, before: int = 0) -> str:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_layout(layout)
        with h5py.File(tmp_path / name, "w") as file:
            file["before"] = ["x"] * (before + 1)
            kind = h5t.py_create(h5py.string_dtype(), logical=True)
            made = h5d.create(file.id, b"d", kind, h5s.create_simple((len(texts),)), creation)
            made.write(h5s.ALL, h5s.ALL, np.array(texts, h5py.string_dtype()))
        return str(records(scanner, tmp_path / name)["d"]["content"])

    found = [digest(f"{number}.h5", *texts) for number, texts in enumerate([("a", "bc"), ("ab", "c"), ("a", "bd")])]
    assert len(set(found)) == 3
    assert digest("later.h5", "a", "bc", before=9) == found[0]

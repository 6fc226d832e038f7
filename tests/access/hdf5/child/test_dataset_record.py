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
        return {record["path"]: record for record in scanner.records(source.fd, 0, source.size)}


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

"""Write the skeleton of an HDF5 file from scratch: groups, text attributes, and datasets to be filled.

Only the reading process imports this module, as it does `build`: libhdf5 may crash when a write fails.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from h5py import h5d, h5f, h5g, h5p, h5s

from weightkit.access.hdf5.child.build import Target, access_list, explained, set_attribute
from weightkit.access.hdf5.child.type_names import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_LONGEST_LIST = 64_512  # bytes of an attribute in a header, as Keras counts


def make(target: int, request: Json) -> Iterator[Json]:
    """Write it; the only record gives its length. The values' space is reserved for the parent to fill."""
    part = Target(target, request["target_start"], 0)
    with explained(part):
        new = h5f.create(b"made", h5f.ACC_TRUNC, fapl=access_list(part, None))
        for path, attributes in request["groups"]:
            home = h5g.create(new, _stored(path)) if path else h5g.open(new, b"/")
            _set_all(home, attributes)
        for path, code, shape, attributes in request["datasets"]:
            creation = h5p.create(h5p.DATASET_CREATE)
            creation.set_layout(h5d.CONTIGUOUS)
            # The parent fills the space: it must exist, and fill values would be written for nothing.
            creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
            creation.set_fill_time(h5d.FILL_TIME_NEVER)
            space = h5s.create_simple(tuple(shape)) if shape else h5s.create(h5s.SCALAR)
            _set_all(h5d.create(new, _stored(path), type_of(code), space, dcpl=creation), attributes)
        new.close()
        length = part.truncate(part.seek(0, os.SEEK_END))
    yield {"built": length}


def _stored(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _set_all(owner: Any, attributes: dict[str, str | list[str]]) -> None:
    for name, value in attributes.items():
        # Keras writes a list of names as text of fixed length, unless that does not fit into a header.
        fits = isinstance(value, list) and len(value) * max(map(_length, value), default=0) <= _LONGEST_LIST
        set_attribute(owner, name, value, like=None, fixed=fits)


def _length(text: str) -> int:
    return len(_stored(text))

"""Read plain datasets from the bytes of their headers, since a file of 100,000 weights has 100,000 of them.

Opening one through the library takes a tenth of a millisecond or more. A plain dataset's header is always the same
except for its axes, its type, and where its values are. Anything that is not exactly as the library writes it is left
to the library.

HDF5 File Format Specification 3.0, IV.A.1.a (object header, version 1) and IV.A.2 (dataspace, datatype, fill value,
data layout).
"""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np
from h5py import h5t

Json = dict[str, Any]
Messages = list[tuple[int, bytes]]

LONGEST = 512
"""Bytes of the longest header that is read here."""

_PREFIX = struct.Struct("<BBHIII")  # version, 0, messages, links to it, bytes of messages, 0
_MESSAGE = struct.Struct("<HHB3s")  # kind, bytes, flags, 0
_SPACE_START = struct.Struct("<BBB5s")  # version, axes, whether their greatest lengths follow, 0
_LAYOUT = struct.Struct("<BBQQ")  # version, class, address, bytes
_SPACE, _TYPE, _FILL, _PLACE, _CHANGED, _NOTHING = 0x1, 0x3, 0x5, 0x8, 0x12, 0x0
_CONSTANT = 1  # a flag: this message does not change
# The messages of a plain dataset in the library's order; the last two may be absent.
_KINDS = {
    (_SPACE, _TYPE, _FILL, _PLACE, *changed, *nothing) for changed in ((), (_CHANGED,)) for nothing in ((), (_NOTHING,))
}
_GROUP = [(0x11, 16)]  # kind and bytes: where the table of its links is
_NO_FILL = bytes.fromhex("0202020100000000")  # version 2, space when first written, fill where set, which it is not
_CONTIGUOUS = (3, 1)  # version and class of a layout
_NOWHERE = (0, 2**64 - 1)  # where the file begins; the undefined address
_MOST_AXES = 32
_TYPES = [f"{order}f{size}" for order in "<>" for size in (2, 4, 8)]
_TYPES += [f"<{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)]


def plain_dataset(messages: Messages) -> Json | None:
    """What a scan reports about a dataset; None if the library must read it.

    Returns:
        ``shape``; ``dtype``; ``element``, bytes of one; ``offset`` in bytes from where the file's addresses count;
        ``size`` in bytes. It has no attributes, no filters, and no fill value of its own.
    """
    if tuple(kind for kind, _ in messages) not in _KINDS:
        return None
    (_, space), (_, kind), (_, fill), (_, layout), *_ = messages
    shape, dtype = _shape(space), _names().get(kind)
    if shape is None or dtype is None or fill != _NO_FILL or len(layout) < _LAYOUT.size:
        return None
    *form, offset, size = _LAYOUT.unpack_from(layout)
    if tuple(form) != _CONTIGUOUS or offset in _NOWHERE or not size or any(layout[_LAYOUT.size :]):
        return None
    return {"shape": shape, "dtype": dtype, "element": int(dtype[2:]), "offset": offset, "size": size}


def is_plain_group(messages: Messages) -> bool:
    """Whether it is an old-style group, which tracks no creation order, without attributes."""
    return [(kind, len(content)) for kind, content in messages] == _GROUP


def messages_of(header: bytes) -> Messages:
    """Kind and content of each message; none if the header is not plain.

    Args:
        header: Bytes from the header's first on, `LONGEST` of them or as many as there are.
    """
    if len(header) < _PREFIX.size:
        return []
    version, zero, count, _, length, padding = _PREFIX.unpack_from(header)
    place, end = _PREFIX.size, _PREFIX.size + length
    if (version, zero, padding) != (1, 0, 0) or end > len(header):
        return []
    found = []
    while place < end:
        if place + _MESSAGE.size > end:
            return []
        kind, size, flags, zeros = _MESSAGE.unpack_from(header, place)
        start = place + _MESSAGE.size
        place = start + size
        # Other flags say that the message is shared, so stored elsewhere, or needs rules unknown here.
        if place > end or flags > _CONSTANT or any(zeros):
            return []
        found.append((kind, header[start:place]))
    return found if len(found) == count else []


def _shape(space: bytes) -> list[int] | None:
    """Lengths of the axes in elements; None if they may grow."""
    if len(space) < _SPACE_START.size:
        return None
    version, axes, bounded, zeros = _SPACE_START.unpack_from(space)
    if version != 1 or axes > _MOST_AXES or bounded > 1 or any(zeros):
        return None
    if len(space) != _SPACE_START.size + 8 * axes * (1 + bounded):
        return None
    lengths = list(struct.unpack_from(f"<{axes}Q", space, _SPACE_START.size))
    return lengths if not bounded or space[-8 * axes :] == space[_SPACE_START.size : -8 * axes] else None


@functools.cache
def _names() -> dict[bytes, str]:
    """NumPy's code by the library's own description of a type, filled up to whole 8 bytes as headers have it."""
    found = {}
    for name in _TYPES:
        described = bytes(h5t.py_create(np.dtype(name)).encode())[2:]  # after the mark and version of the encoding
        found[described + bytes(-len(described) % 8)] = name
    return found

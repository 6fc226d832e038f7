"""Types and shapes as HDF5 writes them in headers, told by their exact bytes.

HDF5 File Format Specification 3.0, IV.A.2.b (dataspace) and IV.A.2.d (datatype).
"""

from __future__ import annotations

import functools
import struct

from weightkit.access.salvage.structure.window import Malformed

FIXED_TEXT, LONG_TEXT, OTHER = "<text>", "<text of variable length>", "<other>"
_FLOATS = {2: (10, 5, 15), 4: (23, 8, 127), 8: (52, 11, 1023)}  # bits of the mantissa and the exponent, and its bias
_VERSIONS = (1, 2, 3)  # of the description
_PADDED_NAMES = 2  # the last version that fills names up to whole 8 bytes
_TEXT_CLASS, _OPAQUE_CLASS, _LIST_CLASS = 3, 5, 9
_LAST_CLASS = 10
_OF_TEXT = 1  # a list of variable length that is text
_LONG_TEXT_SIZE = 16  # bytes: a length, an address, a number
_BFLOAT16 = 2  # bytes of an opaque element
_MOST_AXES = 32
_SCALAR, _SIMPLE, _NULL = 0, 1, 2


def type_of(content: bytes) -> tuple[str, int]:
    """NumPy's code of a type, or a name in angle brackets, and the bytes of an element.

    Raises:
        Malformed: It is no description of a type.
    """
    if len(content) < 8:  # noqa: PLR2004  # class, flags and size
        raise Malformed("its type is damaged")
    kind, version = content[0] & 0xF, content[0] >> 4
    size = int.from_bytes(content[4:8], "little")
    if version not in _VERSIONS or kind > _LAST_CLASS or not size:
        raise Malformed("its type is damaged")
    known = _known()
    for length in _lengths():
        code = known.get(content[:length])
        if code is not None and not any(content[length:]):
            return code, size
    if kind == _OPAQUE_CLASS and size == _BFLOAT16:
        return "|V2", size
    if kind == _TEXT_CLASS:
        return FIXED_TEXT, size
    if kind == _LIST_CLASS and content[1] & 0xF == _OF_TEXT and size == _LONG_TEXT_SIZE:
        return LONG_TEXT, size
    return OTHER, size


def shape_of(content: bytes) -> tuple[int, ...] | None:
    """Lengths of the axes in elements; None for a null dataspace.

    Raises:
        Malformed: It is no description of a shape.
    """
    if len(content) < 4 or content[0] not in (1, 2) or content[1] > _MOST_AXES or content[2] & ~3:  # noqa: PLR2004
        raise Malformed("its shape is damaged")
    version, axes, flags = content[:3]
    kind, front = (_SIMPLE if axes else _SCALAR, 8) if version == 1 else (content[3], 4)
    stop = front + 8 * axes * (2 if flags & 1 else 1)
    # Orders of elements (bit 1 of version 1) were never written by any library.
    if len(content) < stop or any(content[stop:]) or (version == 1 and flags & 2) or kind > _NULL:
        raise Malformed("its shape is damaged")
    if (kind == _SIMPLE) != bool(axes) or (version == 1 and any(content[3:8])):
        raise Malformed("its shape is damaged")
    lengths = struct.unpack_from(f"<{axes}Q", content, front)
    most = struct.unpack_from(f"<{axes}Q", content, front + 8 * axes) if flags & 1 else lengths
    if any(length > limit for length, limit in zip(lengths, most, strict=True)):
        raise Malformed("its shape is damaged")
    return None if kind == _NULL else lengths


@functools.cache
def _known() -> dict[bytes, str]:
    """NumPy's code by the description of a type."""
    found = {}
    for version in _VERSIONS:
        for bit, order in enumerate("<>"):
            for size in _FLOATS:
                found[_float(version, bit, size)] = f"{order}f{size}"
            for size in (1, 2, 4, 8):
                for signed, letter in enumerate("ui"):
                    found[_integer(version, bit, size, signed)] = f"{order}{letter}{size}"
        found[_boolean(version)] = "|b1"
    return found


@functools.cache
def _lengths() -> tuple[int, ...]:
    return tuple(sorted({len(described) for described in _known()}, reverse=True))


def _integer(version: int, order: int, size: int, signed: int) -> bytes:
    return struct.pack("<BBBBIHH", version << 4, order | signed << 3, 0, 0, size, 0, 8 * size)


def _float(version: int, order: int, size: int) -> bytes:
    mantissa, exponent, bias = _FLOATS[size]
    head = (version << 4 | 1, 0x20 | order, 8 * size - 1, 0, size, 0, 8 * size)  # 0x20: a leading one is not stored
    return struct.pack("<BBBBIHHBBBBI", *head, mantissa, exponent, 0, mantissa, bias)


def _boolean(version: int) -> bytes:
    """As h5py stores it: an enumeration of one byte."""
    names = [b"FALSE\0", b"TRUE\0"]
    if version <= _PADDED_NAMES:
        names = [name.ljust(8, b"\0") for name in names]
    return struct.pack("<BBBBI", version << 4 | 8, 2, 0, 0, 1) + _integer(version, 0, 1, 1) + b"".join(names) + b"\0\1"

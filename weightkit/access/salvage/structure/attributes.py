"""Attributes in headers: the text of those that hold text; text of variable length is in the file's global heaps.

HDF5 File Format Specification 3.0, IV.A.2.m (attribute) and III.E (global heap).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from weightkit.access.salvage.structure.object_header import ATTRIBUTE, Header
from weightkit.access.salvage.structure.stored_types import FIXED_TEXT, LONG_TEXT, OTHER, shape_of, type_of
from weightkit.access.salvage.structure.window import Malformed

if TYPE_CHECKING:
    from weightkit.access.salvage.structure.window import Window

Text = str | tuple[str, ...]
"""Text, or a list of text."""

_HEAD = struct.Struct("<BBHHH")  # version, flags, bytes of the name, of the type, of the shape
_PADDED, _WITH_ENCODING, _VERSIONS = 1, 3, (1, 2, 3)
_SHARED = 0x3  # flags: the type or the shape is stored elsewhere
_POINTER = struct.Struct("<IQI")  # bytes of a text, address of a heap, number of an object in it
_HEAP_HEAD = struct.Struct("<4sB3sQ")  # signature, version, 0, bytes of the heap
_HEAP_OBJECT = struct.Struct("<HHIQ")  # number, references, 0, bytes
_LARGEST_HEAP = 64 << 20  # bytes; one holds a model's configuration
_MOST_TEXTS = 1 << 20  # of one attribute
_MORE_TEXT = 1 << 20  # characters that all attributes together may have besides four times the file's bytes


class Texts:
    """Reads the attributes of a file's headers; each heap is read once."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self._left = _MORE_TEXT + 4 * window.length

    def of(self, header: Header) -> dict[str, Text | None]:
        """Attributes by name; None where the value is not text, or its text is lost.

        Raises:
            Malformed: One of them cannot be.
        """
        found: dict[str, Text | None] = {}
        for message in header.messages:
            if message.kind == ATTRIBUTE:
                if message.shared:
                    raise Malformed("an attribute is stored elsewhere in the file")
                name, value = self._attribute(message.content)
                if name in found:
                    raise Malformed("it has two attributes of one name")
                found[name] = value
        return found

    def _attribute(self, content: bytes) -> tuple[str, Text | None]:
        if len(content) < _HEAD.size:
            raise Malformed("an attribute is damaged")
        version, flags, *sizes = _HEAD.unpack_from(content)
        if version not in _VERSIONS or flags & ~_SHARED:
            raise Malformed("an attribute is damaged")
        place = _HEAD.size + (1 if version == _WITH_ENCODING else 0)
        parts = []
        for size in sizes:
            parts.append(content[place : place + size])
            place += -(-size // 8) * 8 if version == _PADDED else size
        name = _ended(parts[0])
        if place > len(content) or not name:
            raise Malformed("an attribute is damaged")
        if flags & _SHARED:
            return name, None
        return name, self._value(parts[1], parts[2], content[place:])

    def _value(self, described: bytes, space: bytes, stored: bytes) -> Text | None:
        kind, size = type_of(described)
        shape = shape_of(space)
        if shape is None or 0 in shape:  # Keras writes a list without names as no numbers
            return () if shape else None
        count = math.prod(shape)
        if kind != OTHER and count * size > len(stored):
            raise Malformed("an attribute ends early")
        if kind not in {FIXED_TEXT, LONG_TEXT} or count > _MOST_TEXTS:
            return None
        items = [stored[place : place + size] for place in range(0, count * size, size)]
        texts = [_decoded(item) if kind == FIXED_TEXT else self._long(item) for item in items]
        known = [text for text in texts if text is not None and "\0" not in text]
        self._left -= sum(map(len, known))
        if len(known) < len(texts) or self._left < 0:
            return None
        return tuple(known) if shape else known[0]

    def _long(self, pointer: bytes) -> str | None:
        length, address, number = _POINTER.unpack(pointer)
        if not length:
            return ""
        if length > self._left:
            return None
        try:
            start, size = self._heap(address).get(number, (0, 0))
            return _decoded(self._window.read(start, length, "a text")) if length <= size else None
        except Malformed:
            return None

    def _heap(self, address: int) -> dict[int, tuple[int, int]]:
        """Where the objects of a heap are, and their bytes."""
        if address not in self._heaps:
            self._heaps[address] = {}  # of one that is damaged, too: it is not read again
            self._heaps[address] = _objects(self._window, address)
        return self._heaps[address]


def _objects(window: Window, address: int) -> dict[int, tuple[int, int]]:
    signature, version, _, size = _HEAP_HEAD.unpack(window.read(address, _HEAP_HEAD.size, "a text"))
    if signature != b"GCOL" or version != 1 or size > _LARGEST_HEAP:
        raise Malformed("a heap of texts is damaged")
    inside = min(size, window.length - address)  # of one that is cut off, the first texts are whole
    content = window.read(address, inside, "a text")
    window.keep(address, inside)
    found: dict[int, tuple[int, int]] = {}
    place = _HEAP_HEAD.size
    while place + _HEAP_OBJECT.size <= inside:
        number, _, _, length = _HEAP_OBJECT.unpack_from(content, place)
        place += _HEAP_OBJECT.size
        if not number or place + length > size:  # the free space is the last
            break
        if place + length <= inside:
            found.setdefault(number, (address + place, length))
        place += -(-length // 8) * 8
    return found


def _ended(text: bytes) -> str:
    return text.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _decoded(text: bytes) -> str:
    return text.rstrip(b"\0").decode("utf-8", "surrogateescape")

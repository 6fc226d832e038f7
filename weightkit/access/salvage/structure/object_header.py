"""Headers of HDF5 objects, versions 1 and 2, with their continuations; a header counts only if all of it checks out.

HDF5 File Format Specification 3.0, IV.A.1 (object headers).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.hdf5.superblock import lookup3
from weightkit.access.salvage.structure.window import Malformed

if TYPE_CHECKING:
    from weightkit.access.salvage.structure.window import Window

SPACE, TYPE, OLD_FILL, FILL, LINK, LAYOUT, FILTERS, ATTRIBUTE, TABLE = 0x1, 0x3, 0x4, 0x5, 0x6, 0x8, 0xB, 0xC, 0x11
"""Kinds of messages."""
_CONTINUED = 0x10
_LAST_KIND = 0x18
_SHARED = 0x2  # a flag: the message is stored elsewhere
_FIRST = struct.Struct("<BBHIII")  # version, 0, messages, links to it, bytes of messages, 0
_MESSAGE = struct.Struct("<HHB3s")  # kind, bytes, flags, 0
_SPAN = struct.Struct("<QQ")  # address and bytes
_NEW, _MORE = b"OHDR", b"OCHK"
_NEW_VERSION = 2
_TIMES, _PHASES, _ORDERED = 0x20, 0x10, 0x4  # flags of a header of version 2: what it stores besides
_KNOWN_FLAGS = 0x3F
_MOST_BLOCKS, _LARGEST_BLOCK = 4096, 32 << 20  # of one header; an attribute has at most 64 KiB in it
_MOST_LINKS = 1 << 16  # to one object
_CHECKSUM = 4
_COSTLY = 16  # a checksum costs as much as reading so many times the bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a header."""

    kind: int
    content: bytes
    place: int
    """The address of its content."""
    shared: bool = False
    """Whether the content only says where in the file the message is."""


@dataclass(frozen=True, slots=True)
class Header:
    """An object's header."""

    address: int
    messages: tuple[Message, ...]

    def only(self, kind: int) -> Message | None:
        """The one message of a kind; None if there is none.

        Raises:
            Malformed: There are several, or it is stored elsewhere.
        """
        found = [message for message in self.messages if message.kind == kind]
        if len(found) > 1:
            raise Malformed("its header says one thing twice")
        if found and found[0].shared:
            raise Malformed("a part of its header is stored elsewhere in the file")
        return found[0] if found else None


def header_at(window: Window, address: int) -> Header:
    """The header at an address.

    Raises:
        Malformed: There is none, or something in it cannot be.
    """
    if window.read(address, 4, "its header") == _NEW:
        return _new_header(window, address)
    return _old_header(window, address)


def _old_header(window: Window, address: int) -> Header:
    version, zero, count, links, length, padding = _FIRST.unpack(window.read(address, _FIRST.size, "its header"))
    if (version, zero, padding) != (1, 0, 0) or not 0 < links < _MOST_LINKS or not count:
        raise Malformed("its header is damaged")
    blocks = [(address + _FIRST.size, length)]
    window.keep(address, _FIRST.size)
    found: list[Message] = []
    for start, size in _each_block(blocks):
        content = window.read(start, size, "a part of its header")
        window.keep(start, size)
        for message in _old_messages(content, start):
            _continue(blocks, message)
            found.append(message)
            if len(found) > count:
                raise Malformed("its header holds more messages than it says")
    if len(found) != count:
        raise Malformed("its header holds fewer messages than it says")
    return Header(address, tuple(found))


def _each_block(blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The blocks of a header, which grow while they are read: a list is read to its end, wherever that is."""
    return blocks


def _continue(blocks: list[tuple[int, int]], message: Message) -> None:
    if message.kind != _CONTINUED:
        return
    if len(message.content) < _SPAN.size or len(blocks) >= _MOST_BLOCKS:
        raise Malformed("its header is damaged")
    start, size = _SPAN.unpack_from(message.content)
    if size > _LARGEST_BLOCK or any(start < other + length and other < start + size for other, length in blocks):
        raise Malformed("parts of its header overlap")
    blocks.append((start, size))


def _old_messages(content: bytes, start: int) -> list[Message]:
    found, place = [], 0
    while place < len(content):
        if place + _MESSAGE.size > len(content):
            raise Malformed("its header is damaged")
        kind, size, flags, zeros = _MESSAGE.unpack_from(content, place)
        place += _MESSAGE.size
        if kind > _LAST_KIND or size % 8 or place + size > len(content) or any(zeros):
            raise Malformed("its header is damaged")
        found.append(Message(kind, content[place : place + size], start + place, bool(flags & _SHARED)))
        place += size
    return found


def _new_header(window: Window, address: int) -> Header:
    version, flags = window.read(address + 4, 2, "its header")
    if version != _NEW_VERSION or flags & ~_KNOWN_FLAGS:
        raise Malformed("its header is damaged")
    front = 6 + (16 if flags & _TIMES else 0) + (4 if flags & _PHASES else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(window.read(address + front, width, "its header"), "little")
    front += width
    # Each block is read as its front, messages, and a checksum of all before it.
    blocks = [(address, front + size + _CHECKSUM)]
    found: list[Message] = []
    for start, length in _each_block(blocks):
        content = _checked(window, start, length)
        for message in _new_messages(content, start, front, ordered=bool(flags & _ORDERED)):
            _continue(blocks, message)
            found.append(message)
        front = len(_MORE)
    return Header(address, tuple(found))


def _checked(window: Window, start: int, length: int) -> bytes:
    if not len(_MORE) + _CHECKSUM <= length <= _LARGEST_BLOCK:
        raise Malformed("its header is damaged")
    block = window.read(start, length, "a part of its header")
    window.charge(_COSTLY * length)
    content, checksum = block[:-_CHECKSUM], block[-_CHECKSUM:]
    if content[: len(_MORE)] not in {_NEW, _MORE} or lookup3(content).to_bytes(4, "little") != checksum:
        raise Malformed("the checksum of its header is wrong")
    window.keep(start, length)
    return content


def _new_messages(content: bytes, start: int, place: int, *, ordered: bool) -> list[Message]:
    found, head = [], 6 if ordered else 4
    while place + head <= len(content):  # what is shorter than a message is a gap
        kind, flags = content[place], content[place + 3]
        size = int.from_bytes(content[place + 1 : place + 3], "little")
        place += head
        if kind > _LAST_KIND or place + size > len(content):
            raise Malformed("its header is damaged")
        found.append(Message(kind, content[place : place + size], start + place, bool(flags & _SHARED)))
        place += size
    return found

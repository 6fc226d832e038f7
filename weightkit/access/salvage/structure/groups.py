"""What groups hold: symbol tables (tree, nodes, heap) and link messages; whatever of it can be read.

HDF5 File Format Specification 3.0, III.A.1 (B-trees, version 1), III.B (symbol table nodes), III.D (local heaps),
IV.A.2.g (link message).
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.salvage.structure.object_header import LINK, TABLE, Header
from weightkit.access.salvage.structure.window import UNDEFINED, Malformed

if TYPE_CHECKING:
    from weightkit.access.salvage.structure.window import Window

_TABLE = struct.Struct("<QQ")  # addresses of the tree and of the heap
_NODE = struct.Struct("<4sBBHQQ")  # signature, kind of tree, level, entries, siblings
_LEAF = struct.Struct("<4sBBH")  # signature, version, 0, entries
_ENTRY = struct.Struct("<QQII16s")  # offset of the name, header, what is cached, 0, the cache
_HEAP = struct.Struct("<4sB3sQQQ")  # signature, version, 0, bytes of the data, free list, address of the data
_CACHED_TABLE, _SOFT = 1, 2
_LARGEST_HEAP = 64 << 20  # bytes of the names in one group
_LINK_INFO = 0x2  # the message that says where links are that are not in the header
_INFO_HEAP = 2  # its bytes before the address
_HARD = 0
_LINK_KIND, _LINK_ORDER, _LINK_ENCODING, _LINK_WIDTH = 0x8, 0x4, 0x10, 0x3


@dataclass(frozen=True, slots=True)
class Link:
    """A name in a group, and where the header is that it leads to."""

    name: str
    address: int
    table: tuple[int, int] | None = None
    """Where its own table is, if it is a group and this one remembers it."""


@dataclass(slots=True)
class Links:
    """What could be read of a group's contents."""

    found: list[Link] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Why something could not."""


def is_group(header: Header) -> bool:
    """Whether an object is a group: it has a table of links, or says where they are."""
    return any(message.kind in {TABLE, LINK, _LINK_INFO} for message in header.messages)


def links_of(window: Window, header: Header) -> Links:
    """What a group holds.

    Raises:
        Malformed: Its header contradicts itself.
    """
    table = header.only(TABLE)
    if table is not None:
        if len(table.content) < _TABLE.size:
            raise Malformed("its table of links is damaged")
        return table_at(window, *_TABLE.unpack_from(table.content))
    links = Links([_link(message.content) for message in header.messages if message.kind == LINK])
    info = header.only(_LINK_INFO)
    if info is not None and _stored_apart(info.content):
        links.lost.append("its links are stored in a heap of a kind that is not searched")
    return links


def table_at(window: Window, tree: int, heap: int) -> Links:
    """What the table of a group's links holds: a tree of nodes, whose names are in a heap."""
    links = Links()
    try:
        names = _heap_at(window, heap)
    except Malformed as error:
        links.lost.append(str(error))
        return links
    # A node and the level that it must have: each below the one above, so that this ends.
    waiting: deque[tuple[int, int | None]] = deque([(tree, None)])
    seen: set[int] = set()
    while waiting:
        address, level = waiting.popleft()
        if address in seen:
            links.lost.append("its table of links contains itself")
            continue
        seen.add(address)
        try:
            if level == -1:
                links.found.extend(_entries(window, address, names))
            else:
                waiting.extend(_children(window, address, level))
        except Malformed as error:
            links.lost.append(str(error))
    return links


def _heap_at(window: Window, address: int) -> bytes:
    signature, version, zeros, size, _, data = _HEAP.unpack(window.read(address, _HEAP.size, "the heap of its names"))
    if signature != b"HEAP" or version or any(zeros) or size > _LARGEST_HEAP:
        raise Malformed("the heap of its names is damaged")
    content = window.read(data, size, "the heap of its names")
    window.keep(address, _HEAP.size)
    window.keep(data, size)
    return content


def _children(window: Window, address: int, wanted: int | None) -> list[tuple[int, int]]:
    what = "its table of links"
    signature, kind, level, count, *_ = _NODE.unpack(window.read(address, _NODE.size, what))
    if signature != b"TREE" or kind or (wanted is not None and level != wanted):
        raise Malformed(f"{what} is damaged")
    content = window.read(address + _NODE.size, 8 + 16 * count, what)  # a key between any two children
    window.keep(address, _NODE.size + len(content))
    return [(child, level - 1) for child in struct.unpack_from(f"<{1 + 2 * count}Q", content)[1::2]]


def _entries(window: Window, address: int, names: bytes) -> list[Link]:
    what = "a node of its table of links"
    signature, version, zero, count = _LEAF.unpack(window.read(address, _LEAF.size, what))
    if (signature, version, zero) != (b"SNOD", 1, 0):
        raise Malformed(f"{what} is damaged")
    content = window.read(address + _LEAF.size, _ENTRY.size * count, what)
    window.keep(address, _LEAF.size + len(content))
    found = []
    for offset, header, cached, _, cache in _ENTRY.iter_unpack(content):
        name = _name(names, offset)
        if cached == _SOFT:
            raise Malformed(f"{what} holds soft links")
        found.append(Link(name, header, _TABLE.unpack(cache) if cached == _CACHED_TABLE else None))
    return found


def _name(names: bytes, offset: int) -> str:
    stop = names.find(b"\0", offset) if offset < len(names) else -1
    return _usable(names[offset:stop] if stop > offset else b"")


def _usable(stored: bytes) -> str:
    if not stored or b"/" in stored or b"\0" in stored or stored in {b".", b".."}:
        raise Malformed("the name of a link is damaged")
    return stored.decode("utf-8", "surrogateescape")


def _link(content: bytes) -> Link:
    """A link message of version 1."""
    if len(content) < 3 or content[0] != 1:  # noqa: PLR2004  # version, flags, and the length of a name
        raise Malformed("a link is damaged")
    flags, place = content[1], 2
    if flags & _LINK_KIND:
        if content[place] != _HARD:
            raise Malformed("it holds links that lead elsewhere by name")
        place += 1
    place += (8 if flags & _LINK_ORDER else 0) + (1 if flags & _LINK_ENCODING else 0)
    width = 1 << (flags & _LINK_WIDTH)
    stop = place + width + int.from_bytes(content[place : place + width], "little")
    if stop + 8 > len(content):
        raise Malformed("a link is damaged")
    return Link(_usable(content[place + width : stop]), int.from_bytes(content[stop : stop + 8], "little"))


def _stored_apart(content: bytes) -> bool:
    """Whether a link info message names a heap that holds the links."""
    if len(content) < _INFO_HEAP:
        raise Malformed("its table of links is damaged")
    place = _INFO_HEAP + (8 if content[1] & 1 else 0)
    return int.from_bytes(content[place : place + 8], "little") != UNDEFINED

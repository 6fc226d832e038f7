"""All objects of a damaged file: those that its root leads to, and those whose headers are found by searching."""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.hdf5.superblock import SIGNATURE, lookup3
from weightkit.access.salvage.structure.attributes import Text, Texts
from weightkit.access.salvage.structure.datasets import CONTIGUOUS, FoundDataset, dataset_of, is_dataset
from weightkit.access.salvage.structure.groups import Link, Links, is_group, links_of, table_at
from weightkit.access.salvage.structure.object_header import header_at
from weightkit.access.salvage.structure.search import header_places
from weightkit.access.salvage.structure.window import UNDEFINED, Malformed, Window
from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weightkit.access.hdf5.container import Body
    from weightkit.access.hdf5.limits import Limits

_ROOT_ENTRY = {0: 56, 1: 60}  # where the entry of the root group is, by the superblock's version
_NEW_VERSIONS = (2, 3)
_USER_BLOCK = 512  # bytes of the shortest
_SIZES = b"\x08\x08"  # bytes of an address and of a length
_CACHED_TABLE = 1
_SUPERBLOCK = 48  # bytes of the shortest


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A group of which at least its header, or its table of links, was found."""

    address: int
    links: tuple[Link, ...]
    lost: tuple[str, ...]
    """Why some of its links could not be read."""
    attributes: Mapping[str, Text | None]


@dataclass(slots=True)
class Survey:
    """What was found in a file, by the address of its header."""

    window: Window
    root: int | None
    """The address of the root group, where the superblock says it."""
    groups: dict[int, FoundGroup] = field(default_factory=dict)
    datasets: dict[int, FoundDataset] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    """Why there is no object at an address that a link leads to."""
    reached: frozenset[int] = frozenset()
    """What the root leads to."""
    reached_structure: int = 0
    """How many of the pieces of structure belong to that: the first so many."""

    @property
    def is_anchored(self) -> bool:
        """Whether a group leads to objects, each at its address: so addresses count from where they seem to."""
        known = self.groups.keys() | self.datasets.keys()
        return any(group.links and {link.address for link in group.links} <= known for group in self.groups.values())

    @property
    def is_complete(self) -> bool:
        """Whether the root leads to every object, and no part of that is damaged."""
        return self.root is not None and not self.broken and not any(group.lost for group in self.groups.values())


def survey(body: Body, limits: Limits) -> Survey:
    """Find the objects of an HDF5 file, of which any part may be missing or damaged.

    Raises:
        UnsafeFileError: It has more objects than the limits allow, or makes more work than files of its size do.
    """
    start = _start(body)
    window = Window(body, start or 0)
    root = None if start is None else _root(window)
    window.keep(0, _SUPERBLOCK)  # whether it is there or not, nothing else is in its place
    found = Survey(window, root[0] if root else None)
    walk = _Walk(found, limits)
    if root is not None:
        walk.follow(Link("", *root))
    found.reached = frozenset((*found.groups, *found.datasets))
    found.reached_structure = found.window.mark()
    if not found.is_complete:
        inside = _values(found.datasets.values())
        for address in header_places(found.window):
            if not _is_inside(inside, address):
                walk.try_at(address)
    if start is None and not found.is_anchored:  # nothing says where addresses count from
        found.datasets.clear()
    return found


def _values(datasets: Iterable[FoundDataset]) -> list[tuple[int, int]]:
    """First byte and end of the values of each, in order."""
    pieces = [dataset for dataset in datasets if dataset.layout == CONTIGUOUS and dataset.offset != UNDEFINED]
    return sorted((dataset.offset, dataset.offset + dataset.size) for dataset in pieces if dataset.size)


def _is_inside(spans: list[tuple[int, int]], address: int) -> bool:
    before = bisect_right(spans, (address, UNDEFINED)) - 1
    return before >= 0 and address < spans[before][1]


class _Walk:
    """Visits objects, each once, and what they lead to."""

    def __init__(self, found: Survey, limits: Limits) -> None:
        self._found, self._limits = found, limits
        self._texts = Texts(found.window)

    def follow(self, link: Link) -> None:
        """Visit what a link leads to, and all below it."""
        waiting = [link]
        while waiting:
            link = waiting.pop()
            if self._is_known(link.address):
                continue
            try:
                self._visit(link)
            except Malformed as error:
                self._found.broken[link.address] = str(error)
            group = self._found.groups.get(link.address)
            waiting.extend(group.links if group else ())

    def try_at(self, address: int) -> None:
        """Visit what is at an address, if anything is; what was not promised is not lost."""
        if self._is_known(address):
            return
        try:
            self._visit(Link("", address))
        except Malformed:
            return
        group = self._found.groups.get(address)
        for link in group.links if group else ():
            self.follow(link)

    def _is_known(self, address: int) -> bool:
        return address in self._found.groups or address in self._found.datasets or address in self._found.broken

    def _visit(self, link: Link) -> None:
        found, mark = self._found, self._found.window.mark()
        if len(found.groups) + len(found.datasets) + len(found.broken) > self._limits.objects:
            raise UnsafeFileError(f"it holds more than {self._limits.objects} objects", hint="do not trust this file")
        try:
            self._take(link.address)
        except Malformed as error:
            found.window.forget(mark)
            # The table above remembers where this group's own is: its header, with its attributes, is lost.
            links = table_at(found.window, *link.table) if link.table else Links()
            if not links.found:
                found.window.forget(mark)
                raise
            lost = (str(error), *links.lost)
            found.groups[link.address] = FoundGroup(link.address, tuple(links.found), lost, {})

    def _take(self, address: int) -> None:
        found = self._found
        header = header_at(found.window, address)
        attributes = self._texts.of(header)
        if is_dataset(header):
            found.datasets[address] = dataset_of(header, attributes)
        elif is_group(header):
            links = links_of(found.window, header)
            found.groups[address] = FoundGroup(address, tuple(links.found), tuple(links.lost), attributes)
        else:
            raise Malformed("it is neither a group nor a dataset")


def has_superblock(body: Body) -> bool:
    """Whether an HDF5 file starts where one may: at the first byte, or behind a user block."""
    return _start(body) is not None


def _start(body: Body) -> int | None:
    place = 0
    while place < body.length:
        if os.pread(body.fd, 8, body.start + place) == SIGNATURE:
            return place
        place = max(_USER_BLOCK, 2 * place)
    return None


def _root(window: Window) -> tuple[int, tuple[int, int] | None] | None:
    """Of the root group its header and its table, where the superblock says them."""
    try:
        return _root_entry(window, window.read(0, 12, "the superblock"))
    except Malformed:
        return None


def _root_entry(window: Window, head: bytes) -> tuple[int, tuple[int, int] | None] | None:
    version = head[8]
    if version in _ROOT_ENTRY:
        entry = window.read(_ROOT_ENTRY[version], 40, "the superblock")
        window.keep(0, _ROOT_ENTRY[version] + len(entry))
        if window.read(13, 2, "the superblock") != _SIZES:
            return None
        address, cached = struct.unpack_from("<QI", entry, 8)
        table = struct.unpack_from("<QQ", entry, 24) if cached == _CACHED_TABLE else None
        return None if address == UNDEFINED else (address, table)
    content = window.read(0, 48, "the superblock")
    checksum = int.from_bytes(content[44:], "little")
    if version not in _NEW_VERSIONS or content[9:11] != _SIZES or lookup3(content[:44]) != checksum:
        return None
    return int.from_bytes(content[36:44], "little"), None

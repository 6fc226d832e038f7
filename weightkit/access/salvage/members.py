"""The members of a ``.keras`` archive whose directory is missing or damaged, found by the headers before their bytes.

PKWARE's APPNOTE 6.3.10, 4.3.7 (local file header) and 4.5.3 (zip64).
"""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.files.copying import write_all
from weightkit.access.files.holes import data_in
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.spool import Spool
from weightkit.access.formats.legacy import parse_config
from weightkit.access.formats.weights_h5 import CONFIG, METADATA, WEIGHTS
from weightkit.access.formats.zip_records import HAS_DESCRIPTOR, IN_EXTRA, IS_ENCRYPTED, LOCAL
from weightkit.access.hdf5.checksum import crc32_of
from weightkit.access.hdf5.container import Body
from weightkit.access.hdf5.superblock import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits

LOCAL_SIGNATURE = b"PK\3\4"
_BLOCK = 4 << 20  # bytes that are searched at once
_STORED, _DEFLATED = 0, 8
_LONGEST_NAME = 512
_ZIP64, _ZIP64_SIZES = 1, 16  # id of the extra field, bytes of both sizes
_STEP = 1 << 20  # bytes to inflate at a time


@dataclass(frozen=True, slots=True)
class FoundMember:
    """One member, as the header before it describes it."""

    name: str
    start: int
    """Where its bytes are in the archive."""
    packed: int
    """Bytes that are there; up to the end of the archive where the header does not say how many."""
    whole: bool
    """Whether all of them are inside the archive, as far as the header says how many."""
    crc: int | None
    """Its checksum, where the header says it."""
    deflated: bool


@dataclass(slots=True)
class Salvaged:
    """What is left of an archive."""

    body: Body | None
    """Its weights; None if they were not found."""
    texts: dict[str, bytes]
    """Members of text that are whole, by name: the configuration, and what Keras says of itself."""
    intact: bool | None
    """Whether the checksum of the weights is right; None if it is not there, or not all of the weights are."""
    spool: Spool | None = None
    """Where weights were inflated to."""


def salvaged_archive(source: OpenFile, limits: Limits) -> Salvaged:
    """Find the weights and the configuration in a damaged archive; close the spool of the result."""
    found: dict[str, FoundMember] = {}
    for member in _members(source, limits):
        found.setdefault(member.name, member)
    known = {name: _text(source, found[name], limits) for name in (CONFIG, METADATA) if name in found}
    texts = {name: text for name, text in known.items() if text}
    weights = found.get(WEIGHTS)
    if weights is None:
        place = next(_places(source, SIGNATURE), -1)
        body = Body(source.fd, place, source.size - place, source.name) if place >= 0 else None
        return Salvaged(body, texts, None)
    if weights.deflated:
        return _inflated(source, weights, texts, limits)
    body = Body(source.fd, weights.start, weights.packed, source.name)
    if not weights.whole or weights.crc is None:
        return Salvaged(body, texts, None)
    return Salvaged(body, texts, crc32_of(body.fd, body.start, body.length) == weights.crc)


def _members(source: OpenFile, limits: Limits) -> Iterator[FoundMember]:
    """Members with the names that Keras gives, one behind the other."""
    reach = 0
    for place in itertools.islice(_places(source, LOCAL_SIGNATURE), limits.members):
        # What looks like a header inside of a member is none.
        member = _member(source, place) if place >= reach else None
        if member is not None:
            reach = member.start + member.packed
            yield member


def _places(source: OpenFile, wanted: bytes) -> Iterator[int]:
    """Where some bytes are, in order; the file is read once."""
    for first, stop in data_in(source.fd, 0, source.size):
        for start in range(first, stop, _BLOCK):
            content = source.read(start, min(_BLOCK, stop - start) + len(wanted) - 1)
            yield from (start + found.start() for found in re.finditer(re.escape(wanted), content))


def _member(source: OpenFile, place: int) -> FoundMember | None:
    head = source.read(place, LOCAL.size)
    if len(head) < LOCAL.size:
        return None
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(head)
    if name_length > _LONGEST_NAME or method not in {_STORED, _DEFLATED} or flags & IS_ENCRYPTED:
        return None
    rest = source.read(place + LOCAL.size, name_length + extra_length)
    name = rest[:name_length].decode("utf-8", "replace").rpartition("/")[2]
    if name not in {CONFIG, METADATA, WEIGHTS}:
        return None
    if IN_EXTRA in {packed, size}:
        packed, size = _large(rest[name_length:])
    start = place + LOCAL.size + name_length + extra_length
    told = not flags & HAS_DESCRIPTOR and packed > 0 and (method == _DEFLATED or packed == size)
    left = max(0, source.size - start)
    inside = min(packed, left) if told else left
    return FoundMember(name, start, inside, told and packed <= left, crc if told else None, method == _DEFLATED)


def _large(extra: bytes) -> tuple[int, int]:
    """The packed and the full size from the field for what does not fit; zeros if it is not there."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == _ZIP64 and length >= _ZIP64_SIZES and place + 4 + length <= len(extra):
            size, packed = struct.unpack_from("<2Q", extra, place + 4)
            return packed, size
        place += 4 + length
    return 0, 0


def _text(source: OpenFile, member: FoundMember, limits: Limits) -> bytes:
    """A member of JSON text; empty if it is not whole."""
    content = source.read(member.start, min(member.packed, limits.text_member))
    if member.deflated:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(content, limits.text_member)
        except zlib.error:
            return b""
        if not inflater.eof:
            return b""
    sound = member.crc is None or zlib.crc32(content) == member.crc
    return content if sound and parse_config(content) is not None else b""


def _inflated(source: OpenFile, member: FoundMember, texts: dict[str, bytes], limits: Limits) -> Salvaged:
    """Inflate the weights as far as that is possible."""
    spool, inflater = Spool(), zlib.decompressobj(-zlib.MAX_WBITS)
    place, stop, length, crc = member.start, member.start + member.packed, 0, 0
    try:
        while (place < stop or inflater.unconsumed_tail) and not inflater.eof and length < limits.inflated:
            packed = inflater.unconsumed_tail or source.read(place, min(_STEP, stop - place))
            place += 0 if inflater.unconsumed_tail else len(packed)
            try:
                part = inflater.decompress(packed, _STEP)
            except zlib.error:
                break
            with machine_errors("inflating the weights", source.name):
                write_all(spool.fd, memoryview(part), length)
            length, crc = length + len(part), zlib.crc32(part, crc)
    except BaseException:
        spool.close()
        raise
    intact = None if member.crc is None or not inflater.eof else crc == member.crc
    return Salvaged(Body(spool.fd, 0, length, source.name), texts, intact, spool)

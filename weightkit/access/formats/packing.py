"""Rewrite a zip archive around one member that is written in place; the other members are copied as stored.

Sizes over 4 GiB use the zip64 records of PKWARE's APPNOTE 6.3.10, sections 4.3.14 to 4.5.3.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range, write_all
from weightkit.access.formats.zip_records import CENTRAL, END, END64, HAS_DESCRIPTOR, HAS_UTF8, LOCAL, LOCATOR64
from weightkit.access.hdf5.checksum import crc32_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.files.openfile import OpenFile

_FULL, _MANY = 0xFFFFFFFF, 0xFFFF  # marks: the number does not fit and is stored in a zip64 record
_LARGEST, _MOST = _FULL - 1, _MANY - 1
_ZIP64 = 1  # id of the extra field for what does not fit
_VERSION = 45  # of the format, the first with zip64


@dataclass(frozen=True, slots=True)
class Stored:
    """A member of the archive to write: where its bytes come from."""

    info: zipfile.ZipInfo
    data_start: int
    """Where its bytes are in the old archive."""
    extra: bytes
    """Extra fields of the header before them."""
    replacement: bytes | None = None
    """New bytes instead, stored uncompressed."""


@dataclass(slots=True)
class _Entry:
    """The directory's entry for a member that has been written."""

    info: zipfile.ZipInfo
    extra: bytes
    offset: int
    crc: int
    packed: int
    size: int
    method: int


@dataclass(slots=True)
class Packing:
    """The new archive while it is being written: ``begin``, write the weights, ``finish``."""

    source: OpenFile
    members: Sequence[Stored]
    weights: str
    """Name of the member that is written in place."""
    comment: bytes
    _entries: list[_Entry] = field(default_factory=list)
    _start: int = 0

    def begin(self, fd: int) -> int:
        """Write what comes before the weights; returns where their bytes start."""
        place = 0
        for member in self.members:
            if member.info.filename == self.weights:
                entry = _Entry(member.info, member.extra, place, 0, 0, 0, zipfile.ZIP_STORED)
                self._entries.append(entry)
                self._start = place + _write(fd, place, _local(entry, large=True))
                return self._start
            place = self._copy(fd, place, member)
        raise AssertionError(f"{self.weights} is not a member")

    def finish(self, fd: int, length: int) -> int:
        """Record the weights' final length and write what follows them; returns the archive's size in bytes."""
        entry = self._entries[-1]
        entry.packed = entry.size = length
        entry.crc = crc32_of(fd, self._start, length)
        # Over the header that `begin` wrote: it has the same length, whatever the sizes.
        _write(fd, entry.offset, _local(entry, large=True))
        place, behind = self._start + length, False
        for member in self.members:
            if behind:
                place = self._copy(fd, place, member)
            behind = behind or member.info.filename == self.weights
        place += _write(fd, place, self._directory(place))
        os.ftruncate(fd, place)  # the space reserved for the file may reach further
        return place

    def _copy(self, fd: int, place: int, member: Stored) -> int:
        info, new = member.info, member.replacement
        if new is None:
            entry = _Entry(info, member.extra, place, info.CRC, info.compress_size, info.file_size, info.compress_type)
        else:
            entry = _Entry(info, member.extra, place, zlib.crc32(new), len(new), len(new), zipfile.ZIP_STORED)
        self._entries.append(entry)
        place += _write(fd, place, _local(entry))
        if new is None:
            stop = member.data_start + info.compress_size
            copy_range(self.source.fd, fd, member.data_start, stop, shift=place - member.data_start)
        else:
            _write(fd, place, new)
        return place + entry.packed

    def _directory(self, start: int) -> bytes:
        records = b"".join(_central(entry) for entry in self._entries)
        count, size = len(self._entries), len(records)
        end = b""
        if count > _MOST or size > _LARGEST or start > _LARGEST:
            # The record's own size does not count its first 12 bytes.
            end = END64.pack(b"PK\6\6", END64.size - 12, _VERSION, _VERSION, 0, 0, count, count, size, start)
            end += LOCATOR64.pack(b"PK\6\7", 0, start + size, 1)
        few = _fitting(count, _MOST, _MANY)
        tail = (few, few, _fitting(size), _fitting(start), len(self.comment))
        return records + end + END.pack(b"PK\5\6", 0, 0, *tail) + self.comment


def _fitting(number: int, largest: int | None = None, mark: int = _FULL) -> int:
    """The number, or the mark that says it is in a zip64 record."""
    return mark if number > (_LARGEST if largest is None else largest) else number


def _write(fd: int, place: int, content: bytes) -> int:
    write_all(fd, memoryview(content), place)
    return len(content)


def stored_name(info: zipfile.ZipInfo) -> bytes:
    """A member's name as bytes, as stored in the archive."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & HAS_UTF8 else "cp437")


def _when(info: zipfile.ZipInfo) -> tuple[int, int]:
    year, month, day, hour, minute, second = info.date_time
    # MS-DOS form: years from 1980, in steps of two seconds.
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _local(entry: _Entry, *, large: bool = False) -> bytes:
    """The header before a member's bytes; ``large`` reserves room for sizes over 4 GiB."""
    info, name = entry.info, stored_name(entry.info)
    extra = _other_extra(entry.extra)
    sizes = (entry.packed, entry.size)
    if large or max(sizes) > _LARGEST:
        # In this header, zip64 requires both sizes, even if only one does not fit.
        extra = struct.pack("<2H2Q", _ZIP64, 16, entry.size, entry.packed) + extra
        sizes = (_FULL, _FULL)
    # Checksum and sizes are in this header, so none come after the bytes.
    flags = info.flag_bits & ~HAS_DESCRIPTOR
    header = (b"PK\3\4", _VERSION, flags, entry.method, *_when(info), entry.crc, *sizes, len(name), len(extra))
    return LOCAL.pack(*header) + name + extra


def _central(entry: _Entry) -> bytes:
    info, name = entry.info, stored_name(entry.info)
    beyond = [number for number in (entry.size, entry.packed, entry.offset) if number > _LARGEST]
    extra = _other_extra(info.extra)
    if beyond:
        # In the directory, zip64 has only the numbers that do not fit, in this order.
        extra = struct.pack(f"<2H{len(beyond)}Q", _ZIP64, 8 * len(beyond), *beyond) + extra
    made_by = info.create_system << 8 | _VERSION
    record = (
        b"PK\1\2", made_by, _VERSION, info.flag_bits & ~HAS_DESCRIPTOR, entry.method, *_when(info), entry.crc,
        _fitting(entry.packed), _fitting(entry.size), len(name), len(extra), len(info.comment), 0,
        info.internal_attr, info.external_attr, _fitting(entry.offset),
    )  # fmt: skip
    return CENTRAL.pack(*record) + name + extra + info.comment


def _other_extra(extra: bytes) -> bytes:
    """The extra fields without zip64's, which is added again where needed."""
    kept, place = [], 0
    while place + 4 <= len(extra):  # an id and a length of two bytes each
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind != _ZIP64:
            kept.append(extra[place : place + 4 + length])
        place += 4 + length
    return b"".join(kept)

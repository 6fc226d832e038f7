"""The weights inside a ``.keras`` archive, and how the archive around them is repaired or rewritten."""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.files.copying import write_all
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.spool import Spool
from weightkit.access.formats.packing import Packing, Stored, stored_name
from weightkit.access.formats.zip_records import HAS_DESCRIPTOR, IN_EXTRA, LOCAL
from weightkit.access.hdf5.checksum import crc32_of
from weightkit.access.hdf5.container import Body, Members
from weightkit.errors import DamagedFileError, UnsafeFileError

if TYPE_CHECKING:
    import zipfile

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits

_LOCAL_CRC = 14
_TELLING = HAS_DESCRIPTOR | 0x1  # and whether it is encrypted
_STEP = 1 << 20  # bytes to decompress at a time
_DEFLATE_RATIO = 1032  # zlib's manual: one byte of deflated data expands to at most this many
_HINT = "use another copy of the file"


@dataclass(frozen=True, slots=True)
class Around:
    """The archive as it is: its members and where they are."""

    source: OpenFile
    members: tuple[zipfile.ZipInfo, ...]
    folder: str
    """Where the model's members lie, with a slash at its end; empty where Keras puts them."""
    weights: str
    comment: bytes
    end: int
    """Where the archive's directory starts."""

    def packing(self, replaced: Members) -> Packing:
        """The archive to write, with some members replaced."""
        stored, new = [], {self.folder + name: content for name, content in replaced.items()}
        for info in self.members:
            header = local_header(self.source, info, self.end)
            stored.append(Stored(info, header.data_start, header.extra, new.get(info.filename)))
        return Packing(self.source, stored, self.weights, self.comment)


@dataclass(slots=True)
class _Repacked:
    """A container that can be rewritten."""

    body: Body
    around: Around
    _packing: Packing | None = field(default=None, init=False)

    def begin(self, fd: int, members: Members) -> int:
        """Write a new archive up to its weights; returns where they start."""
        self._packing = self.around.packing(members)
        with machine_errors("writing the archive", self.body.name):
            return self._packing.begin(fd)

    def finish(self, fd: int, length: int) -> None:
        """Write what comes after weights of ``length`` bytes."""
        assert self._packing is not None  # noqa: S101  # begun before
        with machine_errors("writing the archive", self.body.name):
            self._packing.finish(fd, length)

    def close(self) -> None:
        """Nothing to free: the weights are stored uncompressed in the archive."""


@dataclass(slots=True)
class Member(_Repacked):
    """Weights that are stored uncompressed: their bytes are in the archive, and its checksum can be updated."""

    crc: int
    crc_places: tuple[int, ...]
    """Offsets in bytes of the little-endian CRC-32 of the member."""
    holds_body: bool = True
    _found: int | None = field(default=None, init=False)
    """The checksum of its bytes, once they have been read."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def require_intact(self) -> None:
        """Check the member's checksum, so that no read and no edit hides damage; its bytes are read once.

        Raises:
            DamagedFileError: The bytes are not those that were stored.
        """
        with self._lock:  # any thread may read the first value
            if self._found is None:
                self._found = crc32_of(self.body.fd, self.body.start, self.body.length)
        if self._found != self.crc:
            raise DamagedFileError(
                f"{self.around.weights}: its checksum must be {self.crc:08x}, got {self._found:08x}", hint=_HINT
            )

    def seal(self, fd: int) -> None:
        """Write the checksum of the edited bytes wherever the archive keeps it."""
        checksum = struct.pack("<I", crc32_of(fd, self.body.start, self.body.length))
        with machine_errors("writing the archive's checksum", self.body.name):
            for place in self.crc_places:
                write_all(fd, memoryview(checksum), place)


@dataclass(slots=True)
class Inflated(_Repacked):
    """Weights that were compressed, decompressed to an unnamed file; they are written back uncompressed."""

    spool: Spool
    holds_body: bool = False

    def require_intact(self) -> None:
        """The checksum was checked during decompression."""

    def seal(self, fd: int) -> None:
        """A copy of this archive never holds edited weights."""
        raise AssertionError(fd)

    def close(self) -> None:
        """Free the space of the decompressed weights."""
        self.spool.close()


def inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, around: Around, limits: Limits) -> Inflated:
    """Decompress a member under the limits.

    Raises:
        UnsafeFileError: It claims more bytes than its compressed data can hold, or than the limit.
        DamagedFileError: It does not decompress to the size it claims.
    """
    if info.file_size > min(limits.inflated, info.compress_size * _DEFLATE_RATIO + _STEP):
        raise UnsafeFileError(
            f"the member {info.filename} claims to inflate to {info.file_size} bytes",
            hint="do not trust this file, or repack it without compression (`zip -0`)",
        )
    spool = Spool()
    try:
        start = spool.reserve(info.file_size)
        _inflate(archive, info, spool.fd, start)
    except BaseException:
        spool.close()
        raise
    return Inflated(Body(spool.fd, start, info.file_size, around.source.name), around, spool)


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, fd: int, start: int) -> None:
    place = start
    with archive.open(info) as member:  # it yields at most the claimed size, and checks the checksum at the end
        while part := member.read(_STEP):
            with machine_errors("inflating the weights", ""):
                write_all(fd, memoryview(part), place)
            place += len(part)
    if place != start + info.file_size:
        raise DamagedFileError(f"the member {info.filename} inflates to less than it claims", hint=_HINT)


@dataclass(frozen=True, slots=True)
class LocalHeader:
    """The header right before a member's bytes."""

    data_start: int
    """Where the bytes start."""
    crc_places: tuple[int, ...]
    """The offset of the checksum, if it is here and not after the bytes."""
    extra: bytes
    """Extra fields, which may differ from those in the directory."""


def local_header(source: OpenFile, info: zipfile.ZipInfo, end: int) -> LocalHeader:
    """The header of a member, whose bytes must end by ``end``.

    Raises:
        DamagedFileError: There is none, or it contradicts the directory.
    """
    header = source.read(max(0, info.header_offset), LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != b"PK\x03\x04":
        raise DamagedFileError(f"the member {info.filename} has no header", hint=_HINT)
    _, _, flags, method, _, _, crc, *sizes, name, extra = LOCAL.unpack(header)
    streamed = bool(flags & HAS_DESCRIPTOR)
    same_name = source.read(info.header_offset + LOCAL.size, name) == stored_name(info)
    pairs = zip(sizes, (info.compress_size, info.file_size), strict=True)
    same_sizes = streamed or all(size in {known, IN_EXTRA} for size, known in pairs)
    same_flags = not (flags ^ info.flag_bits) & _TELLING and method == info.compress_type
    if not (same_name and same_sizes and same_flags):
        raise DamagedFileError(f"the archive describes {info.filename} in two ways", hint=_HINT)
    # A streamed archive writes 0 here, and the checksum after the bytes.
    if crc != info.CRC and not (streamed and crc == 0):
        raise DamagedFileError(f"the archive keeps two checksums of {info.filename}", hint=_HINT)
    behind_name = info.header_offset + LOCAL.size + name
    if behind_name + extra + info.compress_size > end:
        raise DamagedFileError(f"the member {info.filename} runs over the archive's directory", hint=_HINT)
    places = (info.header_offset + _LOCAL_CRC,) if crc == info.CRC else ()
    return LocalHeader(behind_name + extra, places, source.read(behind_name, extra))

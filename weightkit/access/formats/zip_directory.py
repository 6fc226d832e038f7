"""The directory of a zip archive: what it may hold, checked before and after `zipfile` reads it."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

from weightkit.access.formats.zip_records import CENTRAL, END, END64, IN_EXTRA, IS_ENCRYPTED, LOCAL, LOCATOR64
from weightkit.errors import DamagedFileError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits

_END_REACH = 65_557 + 76  # bytes: the end record with the longest comment, and the zip64 records before it
_MOST_EXTRA = 4096  # bytes of one member; zip tools write up to about a hundred
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}
_HINT = "use another copy of the file"
_REPACK = "do not trust this file, or repack it"


def require_small(source: OpenFile, limits: Limits) -> None:
    """Bound the directory before `zipfile` reads it: a small file may claim gigabytes, or cost minutes.

    Raises:
        UnsafeFileError: It is larger than the limits, or one of its entries is.
    """
    start = max(0, source.size - _END_REACH)
    tail = source.read(start, _END_REACH)
    place = _end_place(tail)
    if place < 0 or len(tail) < place + END.size:
        return  # zipfile says what is wrong
    end, claims = _claims(source, tail, place)
    for claimed in claims:
        if claimed > limits.directory:
            raise UnsafeFileError(
                f"the archive's directory must be at most {limits.directory} bytes, got {claimed}", hint=_REPACK
            )
    size = claims[-1]
    _require_small_entries(source.read(max(0, start + end - size), size), limits)


def _end_place(tail: bytes) -> int:
    """Where the end record starts, as `zipfile` looks for it: its own numbers may look like one."""
    last = max(0, len(tail) - END.size)
    if tail.startswith(b"PK\5\6", last) and tail.endswith(b"\0\0"):
        return last
    return tail.rfind(b"PK\5\6")


def _claims(source: OpenFile, tail: bytes, place: int) -> tuple[int, list[int]]:
    """Where the directory ends in ``tail``, and every size that a version of `zipfile` may take for its own."""
    claimed = END.unpack_from(tail, place)[5]
    locator, large = place - LOCATOR64.size, place - LOCATOR64.size - END64.size
    if large < 0 or not tail.startswith(b"PK\6\7", locator):
        return place, [claimed]
    pointed = source.read(min(LOCATOR64.unpack_from(tail, locator)[2], source.size), END64.size)
    # The later one is the one that Python 3.11 to 3.13 take.
    records = [each for each in (pointed, tail[large:locator]) if len(each) == END64.size and each[:4] == b"PK\6\6"]
    larger = [END64.unpack(record)[8] for record in records]
    return large, larger if larger and claimed == IN_EXTRA else [claimed, *larger]


def _require_small_entries(directory: bytes, limits: Limits) -> None:
    """Bound the entries: `zipfile` makes an object for each, and reads extra fields in squared time."""
    place = members = 0
    while directory.startswith(b"PK\1\2", place) and place + CENTRAL.size <= len(directory):
        *_, name, extra, comment = CENTRAL.unpack_from(directory, place)[:13]
        if extra > _MOST_EXTRA:
            raise UnsafeFileError(
                f"the extra fields of an archive's member must have at most {_MOST_EXTRA} bytes, got {extra}",
                hint=_REPACK,
            )
        place += CENTRAL.size + name + extra + comment
        members += 1
    if members > limits.members:
        raise UnsafeFileError(f"it must have at most {limits.members} members, got {members}", hint=_REPACK)


def require_safe(archive: zipfile.ZipFile) -> None:
    """Check the members by what the directory says of them.

    Raises:
        UnsafeFileError: A member's name is one that Keras never writes, or it is a link or encrypted.
        UnsupportedFileError: A member is packed by another method than deflate.
        DamagedFileError: Two members share bytes.
    """
    names: set[str] = set()
    for member in archive.infolist():
        fault = _fault(member) or ("occurs twice" if member.filename in names else "")
        if fault:
            raise UnsafeFileError(f"the member {member.filename} {fault}", hint=_REPACK)
        _require_method(member)
        names.add(member.filename)
    _require_apart(archive)


def _fault(member: zipfile.ZipInfo) -> str:
    # As stored: the other name is cut at a null character, and its separators are replaced.
    name = member.orig_filename
    if "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0]:
        return "has a name that leads out of the archive"
    # The upper half holds the Unix mode.
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & IS_ENCRYPTED:
        return "is encrypted"
    return ""


def _require_method(member: zipfile.ZipInfo) -> None:
    """`zipfile` unpacks bzip2 and LZMA without a limit: 9 KB fill gigabytes of memory."""
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise UnsupportedFileError(
            f"the member {member.filename} is packed with {method}, where Keras stores its members or deflates them",
            hint="unpack the archive and pack it again (`zip -0 -r`)",
        )


def _require_apart(archive: zipfile.ZipFile) -> None:
    """Check that no two members share bytes: an edit of one would damage the other, and copies multiply the bytes."""
    reach, holder = 0, ""
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < reach:
            raise DamagedFileError(f"the members {holder} and {info.filename} overlap", hint=_HINT)
        reach, holder = info.header_offset + LOCAL.size + info.compress_size, info.filename

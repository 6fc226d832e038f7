"""A ``.keras`` archive: a zip with the configuration and, stored uncompressed, a version-3 HDF5 member."""

from __future__ import annotations

import errno
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.formats.foreign.zip_members import foreign_zip
from weightkit.access.formats.legacy import parse_config
from weightkit.access.formats.member import Around, Inflated, Member, inflated, local_header
from weightkit.access.formats.weights_h5 import CONFIG, METADATA, WEIGHTS, contents_with
from weightkit.access.formats.zip_directory import require_safe, require_small
from weightkit.access.formats.zip_records import CENTRAL, HAS_DESCRIPTOR
from weightkit.access.hdf5.container import Body
from weightkit.errors import DamagedFileError, MachineError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.contents import Contents
    from weightkit.access.hdf5.limits import Limits

_IN_A_FOLDER = "its files lie in a folder ({}), so Keras' load_model does not open it: zip the files, not the folder"
_CENTRAL_CRC = 16
_DESCRIPTOR = b"PK\x07\x08"
_NO_ZIP = (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, zlib.error, struct.error)
_HINT = "use another copy of the file"


@dataclass(frozen=True, slots=True)
class Archive:
    """What a ``.keras`` archive says about its model, and where the weights are."""

    member: Member | Inflated
    config: Mapping[str, Any] | None
    keras_version: str | None
    folder: str
    """Where the members of a model lie, with a slash at its end; empty where Keras puts them."""


def recognizes(file: UnknownFile) -> bool:
    """Whether the file starts like a zip archive."""
    # An archive without members starts with its end record.
    return file.source.read(0, 4) in {b"PK\x03\x04", b"PK\x05\x06"}


def contents(file: UnknownFile) -> Contents:
    """The weights in the archive, named by its configuration.

    Raises:
        RefusedError: It is damaged, unsafe, or holds no weights that are read here.
    """
    found = open_archive(file.source, file.limits)
    file.enter(found.member)
    form, suffix = ("zip of a model's folder", ".zip") if found.folder else (".keras archive", ".keras")
    read = contents_with(file.index, form, suffix, found.config, found.keras_version)
    notes = (_IN_A_FOLDER.format(found.folder),) if found.folder else ()
    return replace(read, notes=(*read.notes, *notes))


def open_archive(source: OpenFile, limits: Limits) -> Archive:
    """Find the weights and read the configuration.

    Raises:
        DamagedFileError: It is not a sound zip archive.
        UnsafeFileError: A member's name or size is one that Keras never writes.
        UnsupportedFileError: It holds no weights that weightkit reads.
    """
    require_small(source, limits)
    try:
        # A duplicate: `zipfile` closes what it reads, and the store's descriptor stays open.
        with open(os.dup(source.fd), "rb") as file, zipfile.ZipFile(file) as archive:  # noqa: PTH123
            require_safe(archive)
            folder = _folder(archive)
            member = _member(source, archive, folder, limits)
            config = parse_config(_small(archive, folder + CONFIG, limits))
            metadata = parse_config(_small(archive, folder + METADATA, limits)) or {}
    except _NO_ZIP as error:
        # A directory may point before the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise MachineError(f"reading the archive failed: {error.strerror}") from error
        why = "its end is missing" if "is not a zip file" in str(error) else error
        raise DamagedFileError(f"it is not a sound zip archive: {why}", hint=_HINT) from error
    version = metadata.get("keras_version")
    return Archive(member, config, version if isinstance(version, str) else None, folder)


def _member(source: OpenFile, archive: zipfile.ZipFile, folder: str, limits: Limits) -> Member | Inflated:
    info = archive.getinfo(folder + WEIGHTS)
    header = local_header(source, info, archive.start_dir)
    around = Around(source, tuple(archive.infolist()), folder, info.filename, archive.comment, archive.start_dir)
    if info.compress_type != zipfile.ZIP_STORED:
        return inflated(archive, info, around, limits)
    if info.file_size != info.compress_size:
        raise DamagedFileError(f"the member {info.filename} is stored and has two sizes", hint=_HINT)
    behind = _descriptor_crc(source, info, header.data_start)
    places = [*header.crc_places, _central_crc(source, archive, info), *behind]
    return Member(Body(source.fd, header.data_start, info.file_size, source.name), around, info.CRC, tuple(places))


def _folder(archive: zipfile.ZipFile) -> str:
    """Where the members of the model lie; in a folder where somebody zipped the folder instead of its files.

    Raises:
        UnsupportedFileError: Nowhere.
    """
    names = set(archive.namelist())
    folders = ["", *(name.removesuffix(WEIGHTS) for name in names if name.endswith(f"/{WEIGHTS}"))]
    found = [folder for folder in folders if folder + (CONFIG if folder else WEIGHTS) in names]
    if not found or (found[0] and len(found) > 1):
        raise foreign_zip(archive.namelist())
    return found[0]


def _descriptor_crc(source: OpenFile, info: zipfile.ZipInfo, start: int) -> Iterator[int]:
    """The offset of the checksum after the member's bytes, if the archive was written as a stream."""
    if not info.flag_bits & HAS_DESCRIPTOR:
        return
    place = start + info.file_size
    place += 4 if source.read(place, 4) == _DESCRIPTOR else 0
    if struct.unpack("<I", source.read(place, 4)) != (info.CRC,):
        raise DamagedFileError(f"the archive keeps two checksums of {info.filename}", hint=_HINT)
    yield place


def _central_crc(source: OpenFile, archive: zipfile.ZipFile, wanted: zipfile.ZipInfo) -> int:
    """The offset of the checksum in the archive's directory, found by reading its entries in order."""
    place = archive.start_dir
    for info in archive.infolist():
        entry = CENTRAL.unpack(source.read(place, CENTRAL.size))
        if entry[0] != b"PK\x01\x02" or entry[7] != info.CRC:
            raise DamagedFileError("the archive's directory cannot be read", hint=_HINT)
        if info is wanted:
            return place + _CENTRAL_CRC
        place += CENTRAL.size + entry[10] + entry[11] + entry[12]
    raise DamagedFileError("the archive's directory is incomplete", hint=_HINT)


def _small(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    """A member read into memory, decompressed under a limit; empty if it is missing."""
    if name not in archive.namelist():
        return b""
    with archive.open(name) as member:
        content = member.read(limits.text_member + 1)
    if len(content) > limits.text_member:
        raise UnsafeFileError(f"the member {name} has more than {limits.text_member} bytes")
    return content

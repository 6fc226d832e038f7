"""What an archive's directory may hold: bounded before `zipfile` reads it, and checked after."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from weightkit import open_weights
from weightkit.access.files.openfile import OpenFile
from weightkit.access.formats.zip_directory import require_small
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.errors import RefusedError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "model.weights.h5"
END, CENTRAL = b"PK\x05\x06", b"PK\x01\x02"


def archive_of(path: Path, weights: bytes, *others: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info in others:
            archive.writestr(info, b"some text " * 9)
        archive.writestr(WEIGHTS, weights)
    return path


def require(path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    with OpenFile(path) as source:
        require_small(source, limits)


@pytest.mark.parametrize("member", ["config.json", "metadata.json", "assets/text", WEIGHTS])
@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA"), (9, "Deflate64"), (97, "method 97")]
)
def test_a_member_that_is_neither_stored_nor_deflated_is_refused_by_its_method(
    tmp_path: Path, weights: bytes, member: str, method: int, name: str
) -> None:
    """Whatever it holds: nothing of it is unpacked."""
    others = [zipfile.ZipInfo(each) for each in ("config.json", "metadata.json", "assets/text")]
    raw = bytearray(archive_of(tmp_path / "model.keras", weights, *others).read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        local, place = archive.getinfo(member).header_offset, archive.start_dir
    while raw[place + 46 : place + 46 + len(member)] != member.encode():
        place = raw.index(CENTRAL, place + 4)
    raw[local + 8 : local + 10] = raw[place + 10 : place + 12] = struct.pack("<H", method)
    path = tmp_path / "changed.keras"
    path.write_bytes(raw)
    with pytest.raises(UnsupportedFileError, match=f"the member {member} is packed with {name}, where Keras"):
        open_weights(path)


def test_extra_fields_of_a_member_are_bounded_and_kept_below(tmp_path: Path, weights: bytes) -> None:
    """`zipfile` reads them in squared time: 64 KB of empty fields cost a tenth of a second, a directory has 256."""
    for fields, fits in ((1024, True), (1025, False)):
        info = zipfile.ZipInfo("assets/a")
        info.extra = struct.pack("<2H", 0x7777, 0) * fields
        path = archive_of(tmp_path / f"{fields}.keras", weights, info)
        if fits:
            with open_weights(path) as store:
                assert len(store) == 2
        else:
            with pytest.raises(UnsafeFileError, match="must have at most 4096 bytes, got 4100"):
                open_weights(path)


def test_members_are_counted_before_zipfile_makes_an_object_of_each(tmp_path: Path, weights: bytes) -> None:
    path = archive_of(tmp_path / "model.keras", weights, *(zipfile.ZipInfo(str(number)) for number in range(9)))
    require(path, Limits(members=10))
    with pytest.raises(UnsafeFileError, match="at most 9 members, got 10"):
        require(path, Limits(members=9))


def with_zip64_records(directory: int, *, claimed: int, pointed: int | None = None) -> bytes:
    """An end record that claims nothing, behind zip64 records that claim more."""
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, claimed, 0)
    first = large if pointed is None else struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, pointed, 0)
    content = b"PK\3\4".ljust(directory, b"\0") + first + large
    return content + struct.pack("<4sIQI", b"PK\6\7", 0, directory, 1) + END + bytes(18)


@pytest.mark.parametrize("huge", [(16 << 20) + 1, 1 << 40, (1 << 64) - 1])
def test_a_directory_that_claims_more_than_the_limit_is_refused_whichever_record_says_so(
    tmp_path: Path, huge: int
) -> None:
    plain = END + struct.pack("<4H2IH", 0, 0, 1, 1, min(huge, 0xFFFFFFFF), 0, 0)
    for number, content in enumerate(
        (
            b"PK\3\4" + bytes(99) + plain,
            b"PK\3\4" + bytes(99) + plain[:-2] + b"\5\0hello",  # a comment
            with_zip64_records(500, claimed=huge),
            with_zip64_records(500, claimed=0, pointed=huge),
        )
    ):
        path = tmp_path / f"{number}.keras"
        path.write_bytes(content)
        with pytest.raises(UnsafeFileError, match="directory must be at most 16777216 bytes, got"):
            require(path)
        with pytest.raises(RefusedError):
            open_weights(path)


def test_an_end_record_whose_numbers_look_like_another_is_read_as_zipfile_reads_it(tmp_path: Path) -> None:
    """Its offset is the signature: looked for from the end, it would be found there, and cut short."""
    end = END + struct.pack("<4H2I", 0, 0, 1, 1, 0x7FFFFFFF, int.from_bytes(END, "little")) + b"\0\0"
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\3\4" + bytes(99) + end)
    with pytest.raises(UnsafeFileError, match="got 2147483647"):
        require(path)


def test_a_directory_whose_size_stands_in_the_zip64_record_alone_is_read(tmp_path: Path, weights: bytes) -> None:
    path = archive_of(tmp_path / "model.keras", weights)
    raw = path.read_bytes()
    end = raw.rindex(END)
    count, size, start = struct.unpack_from("<HII", raw, end + 10)
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    marks = END + struct.pack("<4H2IH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(raw[:end] + large + locator + marks)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [WEIGHTS]
    with open_weights(path) as store:
        assert len(store) == 2

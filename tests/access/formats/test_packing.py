"""Rewritten archives, read by plain zipfile: every member but the weights is unchanged."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder, halve

from weightkit import open_weights
from weightkit.access.changes import Changes
from weightkit.access.formats import packing
from weightkit.access.hdf5.limits import Limits
from weightkit.access.store import Destination
from weightkit.errors import DamagedFileError, MachineError, RefusedError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
WEIGHTS = "model.weights.h5"
COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


class Unseekable(io.RawIOBase):
    """A stream such as a pipe: zipfile then writes sizes and checksums after each member."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self.target = target

    def writable(self) -> Any:
        return True

    def write(self, content: bytes) -> Any:
        return self.target.write(content)


def packed(path: Path, weights: bytes, compression: int = zipfile.ZIP_DEFLATED) -> Any:
    """An archive of many kinds of members, its weights compressed, as after repacking."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"a comment PK\x01\x02 of the archive"
        archive.writestr("metadata.json", b'{"keras_version": "3.15.1"}')
        archive.writestr("config.json", b'{"a": 1}' * 50, zipfile.ZIP_DEFLATED, 9)
        archive.mkdir("assets")
        for number, name in enumerate(("assets/plain.txt", "assets/ünï.txt", "a b", "..a")):
            info = zipfile.ZipInfo(name, (1980 + number, 12, 31, 23, 59, 58))
            info.comment, info.extra = b"remark", struct.pack("<HH4s", 0x7777, 4, b"more")
            info.external_attr, info.create_system = (0o100640 << 16) + number, number
            info.compress_type = COMPRESSIONS[number % 2]
            archive.writestr(info, f"content {number} " * 300)
            if number == 2:
                archive.writestr(WEIGHTS, weights, compression)
        archive.writestr("empty", b"")
    return path


def streamed(path: Path, weights: bytes) -> Any:
    with path.open("wb") as target, zipfile.ZipFile(Unseekable(target), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("config.json", b"{}"), (WEIGHTS, weights), ("assets/z", b"z" * 999)):
            archive.writestr(name, content)
    return path


def with_other_local_extras(path: Path, weights: bytes) -> Any:
    """Like Info-ZIP: the member's header has timestamps in another form than the directory."""
    packed(path, weights)
    raw = path.read_bytes()
    local = struct.pack("<HH4s", 0x7777, 4, b"more")
    place = raw.index(local)
    path.write_bytes(raw[:place] + struct.pack("<HH4s", 0x5455, 4, b"time") + raw[place + 8 :])
    return path


def with_a_cp437_name(path: Path, weights: bytes) -> Any:
    packed(path, weights)
    raw = path.read_bytes()
    assert raw.count(b"assets/plain.txt") == 2
    path.write_bytes(raw.replace(b"assets/plain.txt", b"assets/pl\x84in.txt"))
    assert "assets/pläin.txt" in zipfile.ZipFile(path).namelist()
    return path


FIELDS = (
    "orig_filename",
    "comment",
    "extra",
    "date_time",
    "external_attr",
    "internal_attr",
    "create_system",
    "CRC",
    "file_size",
    "compress_size",
    "compress_type",
)


def described(path: Path) -> Any:
    """Everything zipfile says about the members except the weights, in order, and what their headers hold."""
    found = []
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            name, extra = struct.unpack_from("<2H", raw, info.header_offset + 26)
            local = raw[info.header_offset + 30 :][: name + extra]
            data = raw[info.header_offset + 30 + name + extra :][: info.compress_size]
            known = {field: getattr(info, field) for field in FIELDS} | {"utf8": info.flag_bits & 0x800}
            found.append(info.filename if info.filename == WEIGHTS else (known, local, data, archive.read(info)))
        return found, archive.comment


def weights_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(WEIGHTS).compress_type == zipfile.ZIP_STORED
        with h5py.File(io.BytesIO(archive.read(WEIGHTS))) as file:
            return file["layers/dense/vars/0"][()].tolist(), file["layers/dense/vars/1"][()].tolist()


MAKES = [packed, streamed, with_other_local_extras, with_a_cp437_name]


@pytest.mark.parametrize("make", MAKES)
def test_a_compressed_member_is_edited_and_all_others_are_as_they_were(
    tmp_path: Path, weights: bytes, make: Callable[[Path, bytes], Any]
) -> None:
    path = make(tmp_path / "model.keras", weights)
    before = described(path)
    halve(path)
    assert described(path) == before
    assert weights_of(path) == ((KERNEL / 2).tolist(), [0.5] * 4)
    with open_weights(path) as store:
        assert [store.read(ref).tolist() for ref in store] == [(KERNEL / 2).tolist(), [0.5] * 4]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_both_ways_in_which_keras_packs_are_read(tmp_path: Path, weights: bytes, compression: int) -> None:
    path = packed(tmp_path / "model.keras", weights, compression)
    with open_weights(path) as store:
        assert [store.read(ref).tolist() for ref in store] == [KERNEL.tolist(), [1.0] * 4]
    halve(path, Destination(tmp_path / "out.keras"))
    assert weights_of(tmp_path / "out.keras") == ((KERNEL / 2).tolist(), [0.5] * 4)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_members_are_replaced_and_the_weights_built_anew_in_one_edit(
    tmp_path: Path, weights: bytes, compression: int
) -> None:
    path, output = packed(tmp_path / "model.keras", weights, compression), tmp_path / "out.keras"
    changes = Changes(members={"config.json": b"new" * 999, "assets/ünï.txt": b""}, dropped=frozenset({"nothing"}))
    with open_weights(path, editable=True) as store, store.editing([], Destination(output), changes):
        pass
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(output) as new:
        assert new.testzip() is None
        assert new.namelist() == old.namelist()
        for name in old.namelist():
            if name != WEIGHTS:
                assert new.read(name) == changes.members.get(name, old.read(name))
    assert weights_of(output) == (KERNEL.tolist(), [1.0] * 4)


@pytest.mark.parametrize("full", [0, 100, 600, 5000, 40_000])
def test_sizes_that_do_not_fit_are_in_the_records_of_zip64(
    tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch, full: int
) -> None:
    """The reader takes only 0xFFFFFFFF as the mark for zip64: the limit is lowered, and the mark is not."""
    path = packed(tmp_path / "model.keras", weights)
    before = described(path)
    monkeypatch.setattr(packing, "_LARGEST", full)
    monkeypatch.setattr(packing, "_MOST", 3)
    halve(path)
    raw = path.read_bytes()
    assert raw.count(b"PK\6\6") == raw.count(b"PK\6\7") == 1
    monkeypatch.undo()
    without_local = [[part[0], *part[2:]] if isinstance(part, tuple) else part for part in before[0]]
    after, comment = described(path)
    found = [[part[0], *part[2:]] if isinstance(part, tuple) else part for part in after]
    for part in (*found, *without_local):
        if isinstance(part, list):
            del part[0]["extra"]
    assert (found, comment) == (without_local, before[1])
    assert weights_of(path) == ((KERNEL / 2).tolist(), [0.5] * 4)


def change_in_directory(path: Path, place: int, content: bytes) -> None:
    """Overwrite bytes of the directory's record of the weights."""
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(WEIGHTS.encode()) - 46
    raw[entry + place : entry + place + len(content)] = content
    header = zipfile.ZipFile(path).getinfo(WEIGHTS).header_offset
    raw[header + place - 2 : header + place - 2 + len(content)] = content
    path.write_bytes(raw)


@pytest.mark.parametrize("claimed", [-1, +1, -100, +100])
def test_a_member_that_lies_about_its_size_is_damage(tmp_path: Path, weights: bytes, claimed: int) -> None:
    path = packed(tmp_path / "model.keras", weights)
    change_in_directory(path, 24, (len(weights) + claimed).to_bytes(4, "little"))
    with pytest.raises(DamagedFileError, match=r"sound zip archive: Bad CRC|inflates to less than it claims"):
        open_weights(path)


def test_a_member_that_lies_about_its_checksum_is_damage(tmp_path: Path, weights: bytes) -> None:
    path = packed(tmp_path / "model.keras", weights)
    change_in_directory(path, 16, b"abcd")
    with pytest.raises(DamagedFileError, match="sound zip archive: Bad CRC"):
        open_weights(path)


def test_a_member_that_claims_more_than_its_bytes_can_hold_is_refused_before_any_room_is_taken(
    tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "model.keras", weights)
    change_in_directory(path, 24, ((4 << 30) - 2).to_bytes(4, "little"))
    monkeypatch.setattr("weightkit.access.formats.member.Spool", None)
    with pytest.raises(UnsafeFileError, match="claims to inflate to 4294967294 bytes"):
        open_weights(path)


def test_a_member_that_inflates_past_the_limit_is_refused(tmp_path: Path, weights: bytes) -> None:
    path = packed(tmp_path / "model.keras", weights)
    with pytest.raises(UnsafeFileError, match=f"claims to inflate to {len(weights)} bytes"):
        open_weights(path, limits=Limits(inflated=len(weights) - 1))
    with open_weights(path, limits=Limits(inflated=len(weights))) as store:
        assert len(store) == 2


def test_a_compressed_member_that_is_damaged_or_empty_is_refused(tmp_path: Path, weights: bytes) -> None:
    for content in (b"", b"no HDF5", weights[:-100]):
        with pytest.raises(RefusedError):
            open_weights(packed(tmp_path / "model.keras", content))
    path = packed(tmp_path / "model.keras", weights)
    raw = bytearray(path.read_bytes())
    start = raw.index(WEIGHTS.encode())
    for place in range(start + 40, start + 90):
        raw[place] ^= 0x5A
    path.write_bytes(raw)
    with pytest.raises(DamagedFileError):
        open_weights(path)


def test_a_disk_that_cannot_take_the_inflated_weights_is_the_machine_s_fault(
    tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "model.keras", weights)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match=r"model.keras: its values need .* set TMPDIR"):
        open_weights(path)


def test_inflated_weights_are_freed_when_the_store_is_closed_and_when_they_are_refused(
    tmp_path: Path, weights: bytes
) -> None:
    with open_weights(packed(tmp_path / "model.keras", weights)) as store:
        spool = store._container.spool
    assert spool._file.closed


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path, weights: bytes) -> None:
    path = packed(tmp_path / "model.keras", weights)
    with zipfile.ZipFile(path) as archive:
        first, second = (archive.getinfo(name).header_offset for name in ("metadata.json", "config.json"))
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"config.json") - 46
    assert raw[entry + 42 : entry + 46] == second.to_bytes(4, "little")
    raw[entry + 42 : entry + 46] = (first + 1).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(DamagedFileError, match=r"metadata.json and config.json overlap"):
        open_weights(path)


@pytest.mark.parametrize("place", [0, 18, 30])
def test_another_member_that_is_described_in_two_ways_is_not_copied(tmp_path: Path, weights: bytes, place: int) -> None:
    path = packed(tmp_path / "model.keras", weights)
    raw = bytearray(path.read_bytes())
    raw[zipfile.ZipFile(path).getinfo("assets/plain.txt").header_offset + place] ^= 1
    path.write_bytes(raw)
    before = Folder.of(tmp_path)
    with pytest.raises(DamagedFileError, match=r"assets/plain\.txt"):
        halve(path)
    assert Folder.of(tmp_path) == before

"""`.keras` archives: zips of every kind are edited at the right bytes or refused with a reason."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder, halve

from tests.hostile.reasons import PACKED, cases_of
from weightkit import open_weights
from weightkit.access.hdf5.limits import Limits
from weightkit.access.store import Destination
from weightkit.errors import DamagedFileError, RefusedError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tests.hostile.case import Case

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
WEIGHTS = "model.weights.h5"
CONFIG = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": []}}).encode() * 1
METADATA = b'{"keras_version": "3.15.1", "date_saved": "2026-11-21@12:00:00"}'


class Unseekable(io.RawIOBase):
    """A stream such as a pipe: zipfile then writes sizes and checksums after each member."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self.target = target

    def writable(self) -> Any:
        return True

    def write(self, content: bytes) -> Any:
        return self.target.write(content)


def pack(
    path: Path,
    weights: bytes,
    *,
    config: bytes = CONFIG,
    others: Any = (),
    compression: int = zipfile.ZIP_STORED,
    **options: dict[str, Any],
) -> Any:
    """An archive with Keras' members in Keras' order."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("metadata.json", METADATA, zipfile.ZIP_DEFLATED)
        archive.writestr("config.json", config, zipfile.ZIP_DEFLATED)
        for name, content in others:
            archive.writestr(name, content)
        archive.writestr(WEIGHTS, weights, compression)
    return path


def as_keras_packs_it(path: Path, weights: bytes) -> None:
    pack(path, weights)


def streamed(path: Path, weights: bytes) -> None:
    with path.open("wb") as target:
        pack(Unseekable(target), weights)
    assert zipfile.ZipFile(path).getinfo(WEIGHTS).flag_bits & 8


def streamed_without_signatures(path: Path, weights: bytes) -> None:
    streamed(path, weights)
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        last = archive.getinfo(WEIGHTS)
        start = archive.start_dir
    descriptor = b"PK\x07\x08" + last.CRC.to_bytes(4, "little")
    place = raw.index(descriptor)
    raw = raw[:place] + raw[place + 4 :]
    end = raw.rindex(b"PK\x05\x06")
    path.write_bytes(raw[: end + 16] + (start - 4).to_bytes(4, "little") + raw[end + 20 :])


def zip64(path: Path, weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", CONFIG)
        with archive.open(WEIGHTS, "w", force_zip64=True) as member:
            member.write(weights)
    assert b"\xff\xff\xff\xff" * 2 in path.read_bytes()


def streamed_zip64(path: Path, weights: bytes) -> None:
    with path.open("wb") as target, zipfile.ZipFile(Unseekable(target), "w") as archive:
        archive.writestr("config.json", CONFIG)
        with archive.open(WEIGHTS, "w", force_zip64=True) as member:
            member.write(weights)


def behind_another_archive(path: Path, weights: bytes) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    pack(first, weights[:-8] + bytes(8))
    pack(second, weights)
    path.write_bytes(first.getvalue() + second.getvalue())


def with_a_comment(path: Path, weights: bytes) -> None:
    pack(path, weights)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x01\x02PK\x03\x04 what a comment " * 20


def with_comments_and_extras_of_members(path: Path, weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("a", b"1"), (WEIGHTS, weights), ("z", b"2")):
            info = zipfile.ZipInfo(name)
            info.comment, info.extra = b"remark", struct.pack("<HH4s", 0x7777, 4, b"more")
            archive.writestr(info, content)


def with_assets(path: Path, weights: bytes) -> None:
    pack(path, weights, others=[("assets/layers/text/vocabulary.txt", b"a\nb\n" * 500), ("extra", os.urandom(3000))])


def in_another_order(path: Path, weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WEIGHTS, weights)
        archive.writestr("config.json", CONFIG, zipfile.ZIP_DEFLATED)
        archive.writestr("assets/copy.h5", weights)


def without_a_config(path: Path, weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WEIGHTS, weights)


MAKES = [
    as_keras_packs_it,
    streamed,
    streamed_without_signatures,
    zip64,
    streamed_zip64,
    behind_another_archive,
    with_a_comment,
    with_comments_and_extras_of_members,
    with_assets,
    in_another_order,
    without_a_config,
]


def contents_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_zip_of_any_make_is_sound_after_an_edit_and_differs_in_nothing_else(
    tmp_path: Path, weights: bytes, make: Callable[[Path, bytes], object], elsewhere: bool
) -> None:
    path = tmp_path / "model.keras"
    make(path, weights)
    raw, before = path.read_bytes(), contents_of(path)
    target = tmp_path / "out.keras" if elsewhere else path
    halve(path, Destination(target if elsewhere else None))
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
    after = contents_of(target)
    with h5py.File(io.BytesIO(after.pop(WEIGHTS))) as file:
        assert file["layers/dense/vars/0"][()].tolist() == (KERNEL / 2).tolist()
        assert file["layers/dense/vars/1"][()].tolist() == [0.5] * 4
    del before[WEIGHTS]
    assert after == before
    changed = np.flatnonzero(np.frombuffer(raw, np.uint8) != np.fromfile(target, np.uint8))
    start = raw.rindex(weights) if make is not in_another_order else raw.index(weights)
    outside = changed[(changed < start) | (changed >= start + len(weights))]
    assert len(outside) <= 3 * 4  # the checksum before, behind and in the directory


@pytest.mark.parametrize("make", [as_keras_packs_it, streamed, zip64])
def test_every_checksum_of_the_member_is_renewed(
    tmp_path: Path, weights: bytes, make: Callable[[Path, bytes], object]
) -> None:
    path = tmp_path / "model.keras"
    make(path, weights)
    old = zlib.crc32(weights).to_bytes(4, "little")
    places = path.read_bytes().count(old)
    halve(path)
    raw = path.read_bytes()
    new = zlib.crc32(contents_of(path)[WEIGHTS]).to_bytes(4, "little")
    assert (raw.count(old), raw.count(new)) == (0, places)


def test_a_checksum_kept_before_and_behind_the_member_is_renewed_in_both(tmp_path: Path, weights: bytes) -> None:
    path = tmp_path / "model.keras"
    streamed(path, weights)
    crc = zlib.crc32(weights).to_bytes(4, "little")
    raw = bytearray(path.read_bytes())
    header = zipfile.ZipFile(path).getinfo(WEIGHTS).header_offset
    raw[header + 14 : header + 18] = crc
    path.write_bytes(raw)
    halve(path)
    assert path.read_bytes().count(crc) == 0


def test_junk_before_the_archive_is_no_weight_file(tmp_path: Path, weights: bytes) -> None:
    path = pack(tmp_path / "model.keras", weights)
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())
    assert zipfile.is_zipfile(path)
    with pytest.raises(UnsupportedFileError, match=r"neither HDF5 nor a .keras archive"):
        open_weights(path)


def test_the_version_of_keras_and_the_configuration_are_read(tmp_path: Path, weights: bytes) -> None:
    with open_weights(pack(tmp_path / "model.keras", weights)) as store:
        assert store.format == ".keras archive"
        assert store.keras_version == "3.15.1"
        assert store.config == json.loads(CONFIG)


@pytest.mark.parametrize(
    "config", [b"", b"not JSON", b"[1, 2]", b"5", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000]
)
def test_a_configuration_that_is_none_is_no_obstacle(tmp_path: Path, weights: bytes, config: bytes) -> None:
    path = pack(tmp_path / "model.keras", weights, config=config)
    with open_weights(path) as store:
        assert store.config is None
        assert len(store) == 2


@pytest.mark.parametrize("unit", [b"[],", b'{"a":0},', b"1,"])
@pytest.mark.parametrize("member", ["config.json", "metadata.json"])
def test_a_text_of_more_values_than_any_model_has_is_refused(
    tmp_path: Path, weights: bytes, unit: bytes, member: str
) -> None:
    """30 KB of an archive would take a gigabyte of memory: each value takes more than its three bytes of text."""
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, b'{"config": [' + unit * 2_000_000 + b"0]}")
        archive.writestr(WEIGHTS, weights, zipfile.ZIP_STORED)
    with pytest.raises(UnsafeFileError, match="must have at most 2000000 values, got"):
        open_weights(path)


@pytest.mark.parametrize("member", ["config.json", "metadata.json"])
def test_a_text_that_inflates_past_its_limit_is_refused(tmp_path: Path, weights: bytes, member: str) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, b" " * 100_001)
        archive.writestr(WEIGHTS, weights, zipfile.ZIP_STORED)
    with pytest.raises(UnsafeFileError, match=f"the member {member} has more than 100000 bytes"):
        open_weights(path, limits=Limits(text_member=100_000))
    with open_weights(path, limits=Limits(text_member=100_001)) as store:
        assert len(store) == 2


def test_more_members_than_the_limit_are_refused(tmp_path: Path, weights: bytes) -> None:
    path = pack(tmp_path / "model.keras", weights, others=[(str(number), b"") for number in range(8)])
    with pytest.raises(UnsafeFileError, match="at most 10 members, got 11"):
        open_weights(path, limits=Limits(members=10))


def test_damage_that_the_checksum_tells_is_listed_and_never_blessed(tmp_path: Path, weights: bytes) -> None:
    path = pack(tmp_path / "model.keras", weights)
    raw = bytearray(path.read_bytes())
    raw[raw.index(KERNEL.tobytes()) + 5] ^= 1
    path.write_bytes(raw)
    with open_weights(path) as store:
        assert len(store) == 2
    before = Folder.of(tmp_path)
    with pytest.raises(DamagedFileError, match=r"its checksum must be .*, got "):
        halve(path)
    with pytest.raises(DamagedFileError, match="its checksum must be"):
        halve(path, Destination(tmp_path / "out.keras"))
    assert Folder.of(tmp_path) == before


def test_a_stored_member_of_two_sizes_is_damage(tmp_path: Path, weights: bytes) -> None:
    path = tmp_path / "model.keras"
    streamed(path, weights)
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 20 : entry + 24] = (len(weights) - 1).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(DamagedFileError, match="is stored and has two sizes"):
        open_weights(path)


def test_a_checksum_behind_a_streamed_member_that_differs_is_damage(tmp_path: Path, weights: bytes) -> None:
    path = tmp_path / "model.keras"
    streamed(path, weights)
    raw = path.read_bytes()
    descriptor = b"PK\x07\x08" + zlib.crc32(weights).to_bytes(4, "little")
    assert raw.count(descriptor) == 1
    path.write_bytes(raw.replace(descriptor, b"PK\x07\x08abcd"))
    with pytest.raises(DamagedFileError, match="keeps two checksums"):
        open_weights(path)


@pytest.mark.parametrize("name", ["..a", "a..b/c", "assets/a:b", "a b", "é/ü", "a\x1b[31m"])
def test_a_name_that_only_looks_odd_is_no_obstacle(tmp_path: Path, weights: bytes, name: str) -> None:
    path = pack(tmp_path / "model.keras", weights, others=[(name, b"x")])
    halve(path)
    assert contents_of(path)[name] == b"x"


@pytest.mark.parametrize(("case", "error", "reason"), cases_of(PACKED), ids=PACKED)
def test_a_tricked_archive_is_refused_with_its_reason(tmp_path: Path, case: Case, error: str, reason: str) -> None:
    case.make(tmp_path / case.file)
    with pytest.raises(RefusedError, match=reason) as caught:
        open_weights(tmp_path / case.file)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["config.json"], "holds no model.weights.h5: it holds config.json"),
        (["model.weights.h5.index", "model.weights-0001.h5"], "holds no model.weights.h5, only model.weights"),
        ([], "holds no model.weights.h5: it is empty"),
    ],
)
def test_an_archive_without_the_member_says_what_it_has_instead(tmp_path: Path, names: list[str], reason: str) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    with pytest.raises(UnsupportedFileError) as caught:
        open_weights(path)
    assert caught.match(reason)


def test_a_file_that_only_begins_like_an_archive_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\x03\x04" + os.urandom(500))
    with pytest.raises(DamagedFileError, match="not a sound zip archive"):
        open_weights(path)


def test_a_member_that_is_no_hdf5_is_damaged(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.keras", b"not HDF5" * 100)
    with pytest.raises(DamagedFileError):
        open_weights(path)


def test_a_configuration_that_does_not_inflate_is_damage(tmp_path: Path, weights: bytes) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(list(range(1000))), zipfile.ZIP_DEFLATED)
        archive.writestr(WEIGHTS, weights)
    raw = bytearray(path.read_bytes())
    for place in range(60, 160):
        raw[place] ^= 0x55
    path.write_bytes(raw)
    with pytest.raises(DamagedFileError, match="not a sound zip archive"):
        open_weights(path)


def test_a_directory_that_points_before_the_file_is_damage(tmp_path: Path, weights: bytes) -> None:
    path = pack(tmp_path / "model.keras", weights)
    raw = bytearray(path.read_bytes())
    end = raw.rindex(b"PK\x05\x06")
    raw[end + 16 : end + 20] = (int.from_bytes(raw[end + 16 : end + 20], "little") + 5000).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(RefusedError):
        open_weights(path)

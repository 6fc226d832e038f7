"""Tricks with the archive around the weights: bombs, other methods, overlaps, two formats in one file."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING

from tests.hostile.case import (
    CONFIG,
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
    contained,
    entry,
    le,
    overwrite,
    pack,
    refused,
    variable_bytes,
)
from tests.hostile.headers import CENTRAL, END, MEMBER, TWO, central_place, local_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _bombs() -> None:
    def text(name: str) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                with archive.open(entry(name, zipfile.ZIP_DEFLATED), "w") as member:
                    for _ in range(300):
                        member.write(b" " * (1 << 20))
                archive.writestr(entry(MEMBER), variable_bytes())

        return make

    why = "some kilobytes would fill the memory"
    refused("bomb_config.keras", "a config.json that inflates to 300 MB is refused", why, UNSAFE)(text("config.json"))
    refused("bomb_metadata.keras", "a metadata.json that inflates to 300 MB is refused", why, UNSAFE, large=True)(
        text("metadata.json")
    )
    contained(
        "bomb_asset.keras",
        "a bomb that is never unpacked is no obstacle",
        "it is copied as it is",
        weights=4,
        large=True,
    )(text("assets/bomb"))


_bombs()


def _values() -> None:
    for name, unit in {"lists": b"[],", "objects": b'{"":0},', "numbers": b"1.5,"}.items():

        def make(path: Path, unit: bytes = unit) -> None:
            pack(path, config=b'{"config": [' + unit * (28 << 18) + b"0]}")

        refused(
            f"config_of_{name}.keras",
            f"a configuration of seven million {name} is refused",
            "35 KB would take a gigabyte of memory",
            UNSAFE,
            large=name != "lists",
        )(make)


_values()


def _folders() -> None:
    for name, folder in {"ansi": "a\x1b[31m/", "bidi": "a\u202eb/", "newline": "a\nb/"}.items():

        def make(path: Path, folder: str = folder) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(entry(f"{folder}config.json"), json.dumps(CONFIG))
                archive.writestr(entry(f"{folder}{MEMBER}"), variable_bytes())

        contained(
            f"folder_{name}.keras", f"a zip of a folder with an odd name ({name}) is read", "names stay", weights=4
        )(make)

        def holding(path: Path, folder: str = folder) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(entry(f"{folder}model.h5"), variable_bytes())

        refused(
            f"holding_{name}.zip",
            f"a zip that holds a file ({name}) is refused by an escaped name",
            "a name must not steer a terminal",
            UNSUPPORTED,
        )(holding)

        def index(path: Path, folder: str = folder) -> None:
            path.write_text(json.dumps({"weight_map": {"/layers/a/vars": [f"{folder}m_00000.weights.h5"]}}))

        refused(
            f"shards_{name}.weights.json",
            f"an index of a shard ({name}) is refused by an escaped name",
            "a name must not steer a terminal",
            UNSUPPORTED,
        )(index)


_folders()


def _deflated() -> None:
    def weights(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive, archive.open(entry(MEMBER, zipfile.ZIP_DEFLATED), "w") as member:
            for _ in range(200):
                member.write(bytes(1 << 20))

    refused(
        "bomb_weights.keras",
        "weights that inflate to 200 MB of zeros are refused",
        "zeros are no HDF5",
        DAMAGED,
        UNSAFE,
    )(weights)

    def spoiled(path: Path) -> None:
        pack(path, method=zipfile.ZIP_DEFLATED)
        overwrite(path, local_place(path, MEMBER) + 200, b"\x55" * 50)

    refused("deflated_spoiled.keras", "deflated weights that do not inflate are refused", TWO, DAMAGED)(spoiled)

    def sound(path: Path) -> None:
        pack(path, method=zipfile.ZIP_DEFLATED)

    contained(
        "deflated.keras", "deflated weights are inflated and edited", "Keras loads them", weights=4, other_format=(2,)
    )(sound)


_deflated()


def _deflated_sizes() -> None:
    def claimed(path: Path, size: int) -> None:
        pack(path, method=zipfile.ZIP_DEFLATED)
        for place, at in ((local_place(path, MEMBER), 22), (central_place(path, MEMBER), 24)):
            overwrite(path, place + at, le(size, 4))

    for name, size in {
        "more": len(variable_bytes()) + 1,
        "less": len(variable_bytes()) - 1,
        "nothing": 0,
        "4_GB": 0xFFFFFFF0,
    }.items():

        def make(path: Path, size: int = size) -> None:
            claimed(path, size)

        refused(
            f"deflated_claims_{name}.keras", f"deflated weights that claim {name} are refused", TWO, DAMAGED, UNSAFE
        )(make)


def _other_methods() -> None:
    for name, method in {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.items():

        def weights(path: Path, method: int = method) -> None:
            pack(path, method=method)

        refused(
            f"packed_with_{name}.keras", f"weights packed with {name} are refused", "Keras stores them", UNSUPPORTED
        )(weights)
        for member in ("config.json", "metadata.json", "assets/bomb", MEMBER):

            def bomb(path: Path, member: str = member, method: int = method) -> None:
                with zipfile.ZipFile(path, "w") as archive:
                    with archive.open(entry(member, method), "w", force_zip64=True) as target:
                        for _ in range(64):
                            target.write(bytes(1 << 20))
                    if member != MEMBER:
                        archive.writestr(entry(MEMBER), variable_bytes())

            refused(
                f"bomb_{name}_{member.replace('/', '_')}.keras",
                f"64 MiB of zeros as {member}, packed with {name}, are refused",
                "zipfile unpacks them into memory without a limit",
                UNSUPPORTED,
                large=member != "config.json",
            )(bomb)


_deflated_sizes()
_other_methods()


@refused("no_weights.keras", "an archive without weights is refused", "there is nothing to edit", UNSUPPORTED)
def _without(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry("config.json"), b"{}")


@refused(
    "weights_elsewhere.keras",
    "weights in a folder of the archive are refused",
    "Keras does not look there",
    UNSUPPORTED,
)
def _elsewhere(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry(f"m/{MEMBER}"), variable_bytes())


@refused(
    "nested.keras", "weights that are an archive themselves are refused", "an archive holds HDF5", DAMAGED, UNSUPPORTED
)
def _nested(path: Path) -> None:
    inner = io.BytesIO()
    pack(inner)
    pack(path, weights=inner.getvalue())


@refused(
    "overlap.keras",
    "a member that lies inside the weights is refused",
    "editing one would change the other",
    DAMAGED,
    UNSAFE,
)
def _overlap(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(entry("config.json"), b"{}" * 50)
    raw = inner.getvalue()
    start = raw.index(CENTRAL)
    directory = bytearray(raw[start : raw.rindex(END)])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry(MEMBER), variable_bytes() + raw[:start])
    whole = bytearray(path.read_bytes())
    directory[42:46] = le(whole.index(raw[:start]), 4)
    end = whole.rindex(END)
    whole[end + 8 : end + 12] = le(2, 2) * 2
    whole[end + 12 : end + 16] = le(int.from_bytes(whole[end + 12 : end + 16], "little") + len(directory), 4)
    whole[end:end] = directory
    path.write_bytes(whole)


@refused("overlap_of_itself.keras", "two members with the same bytes are refused", TWO, DAMAGED, UNSAFE)
def _same(path: Path) -> None:
    pack(path, before=(("model.weights.h6", variable_bytes()),))
    place = central_place(path, "model.weights.h6")
    overwrite(path, place + 42, le(local_place(path, MEMBER), 4))


@refused("members_120000.keras", "120,000 members are refused", "the limit is 100,000", UNSAFE, large=True)
def _many(path: Path) -> None:
    pack(path, before=tuple((f"a/{number}", b"") for number in range(120_000)))


@contained("members_70000.keras", "70,000 members are carried over", "the limit is 100,000", weights=4, large=True)
def _fewer(path: Path) -> None:
    pack(path, before=tuple((f"a/{number}", b"") for number in range(70_000)))


@refused(
    "directory_hidden.keras",
    "two directories, of which one is hidden, are not both believed",
    TWO,
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
)
def _hidden(path: Path) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    pack(first)
    pack(second, weights=b"another" * 100)
    path.write_bytes(first.getvalue() + second.getvalue())


POLYGLOT = "what it is must not depend on who looks"


@contained(
    "hdf5_before_zip.weights.h5",
    "HDF5 with an archive behind it is HDF5",
    POLYGLOT,
    DAMAGED,
    weights=4,
    other_format=(2,),
)
def _hdf5_first(path: Path) -> None:
    archive = io.BytesIO()
    pack(archive, weights=b"other")
    path.write_bytes(variable_bytes() + archive.getvalue())


@contained(
    "zip_before_hdf5.keras", "an archive in HDF5's user block is contained", POLYGLOT, DAMAGED, UNSUPPORTED, UNSAFE,
    show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
)  # fmt: skip
def _zip_first(path: Path) -> None:
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w") as archive:
        archive.writestr(entry("readme"), b"")
    block = small.getvalue()
    path.write_bytes(block.ljust(512, b"\0") + variable_bytes(userblock_size=512)[512:])


@contained(
    "zip_around_hdf5.keras", "an archive whose member is the file's own HDF5 at 512 is contained", POLYGLOT, DAMAGED,
    UNSUPPORTED, UNSAFE, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
)  # fmt: skip
def _around(path: Path) -> None:
    plain = variable_bytes()
    info = entry(MEMBER)
    info.extra = struct.pack("<2H", 0x7777, 512 - 30 - len(MEMBER) - 4) + bytes(512 - 30 - len(MEMBER) - 4)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, plain)
    assert path.read_bytes()[512:520] == plain[:8]


@contained(
    "checksum_wrong.keras", "weights that were changed without their checksum are listed and never edited",
    "damage is never blessed", DAMAGED, weights=4, scale=(3,), strip=(3,), stats=(3,),
)  # fmt: skip
def _changed(path: Path) -> None:
    pack(path)
    with zipfile.ZipFile(path) as archive:
        raw = archive.read(MEMBER)
    place = path.read_bytes().index(raw)
    overwrite(path, place + raw.index(struct.pack("<f", 12.0)), b"\1")

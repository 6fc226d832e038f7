"""Tricks with the archive around the weights."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from tests.hostile.case import (
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMBER = "model.weights.h5"
OUT = "whoever unpacks it would write elsewhere"
TWO = "two readers would see two archives"
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def _names() -> None:
    spoiled = {
        "absolute": b"/etc/passwd",
        "upwards": b"../../evil",
        "upwards_inside": b"a/../../out",
        "backslash": b"a\\..\\..\\out",
        "drive": b"C:/windows",
        "drive_alone": b"C:",
        "host": b"\\\\host\\share",
        "null": b"a\0b",
        "two_dots": b"..",
        "upwards_from_assets": b"assets/..",
    }
    for name, raw in spoiled.items():

        def make(path: Path, raw: bytes = raw) -> None:
            stand_in = "@" * len(raw)
            pack(path, before=((stand_in, b"hostile"),))
            places = _local(path, stand_in) + 30, _central(path, stand_in) + 46
            for place in places:
                overwrite(path, place, raw)

        refused(f"member_{name}.keras", f"a member whose name is {name.replace('_', ' ')} is refused", OUT, UNSAFE)(
            make
        )
    odd = {"ansi": "a\x1b[31m\x1b[2J", "bidi": "a\u202eb", "newline": "a\nb", "long": "a" * 60_000, "space": " "}
    for name, text in odd.items():

        def make_odd(path: Path, text: str = text) -> None:
            pack(path, before=((text, b"x"),))

        def make_twice(path: Path, text: str = text) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pack(path, before=((text, b"x"), (text, b"y")))

        contained(
            f"member_{name}.keras",
            f"a member with an odd name ({name}) is no obstacle",
            "names stay as they are",
            weights=4,
        )(make_odd)
        refused(
            f"member_{name}_twice.keras",
            f"a refusal names a member ({name}) escaped",
            "a name must not steer a terminal",
            UNSAFE,
        )(make_twice)


_names()


@refused("member_link.keras", "a symbolic link in the archive is refused", OUT, UNSAFE)
def _link(path: Path) -> None:
    info = entry("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    pack(path, before=((info, b"/etc/passwd"),))


@refused("member_link_weights.keras", "weights that are a symbolic link are refused", OUT, UNSAFE, DAMAGED, UNSUPPORTED)
def _link_weights(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = entry(MEMBER)
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"victim.h5")


def _twice() -> None:
    for name in (MEMBER, "config.json", "metadata.json", "other"):

        def make(path: Path, name: str = name) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pack(path, behind=((name, b"second"), (name, b"third")))

        refused(f"twice_{name}.keras", f"{name} twice is refused", TWO, UNSAFE, DAMAGED)(make)


_twice()


def _central(path: Path, name: str) -> int:
    """Where the entry of a member begins in the archive's directory."""
    raw = path.read_bytes()
    place = raw.index(CENTRAL)
    while raw[place + 46 : place + 46 + len(name)] != name.encode():
        place = raw.index(CENTRAL, place + 1)
    return place


def _local(path: Path, name: str) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(name).header_offset


def _spoiled() -> None:
    """One field of one header of one member: what, where, with what."""
    central: dict[str, tuple[int, bytes]] = {
        "encrypted": (8, b"\x01\0"),
        "patched": (8, b"\x20\0"),
        "strongly_encrypted": (8, b"\x41\0"),
        "method_99": (10, le(99, 2)),
        "method_deflate": (10, le(8, 2)),
        "method_zstd": (10, le(93, 2)),
        "checksum": (16, b"abcd"),
        "packed_size": (20, le(7, 4)),
        "packed_size_huge": (20, le(0xFFFFFFFE, 4)),
        "size": (24, le(7, 4)),
        "size_huge": (24, le(0xFFFFFFFE, 4)),
        "size_in_no_extra": (24, le(0xFFFFFFFF, 4)),
        "name_length": (28, le(500, 2)),
        "extra_length": (30, le(500, 2)),
        "comment_length": (32, le(5000, 2)),
        "disk": (34, le(3, 2)),
        "offset": (42, le(1, 4)),
        "offset_huge": (42, le(0xFFFFFFFE, 4)),
    }
    local: dict[str, tuple[int, bytes]] = {
        "signature": (0, b"PK\x03\x05"),
        "streamed": (6, b"\x08\0"),
        "encrypted": (6, b"\x01\0"),
        "method_deflate": (8, le(8, 2)),
        "checksum": (14, b"abcd"),
        "packed_size": (18, le(7, 4)),
        "size": (22, le(7, 4)),
        "name_length": (26, le(15, 2)),
        "extra_length": (28, le(0xFFFF, 2)),
        "extra_length_small": (28, le(8, 2)),
        "name": (30, b"Model"),
    }
    odd = {"disk", "patched", "name_length", "extra_length", "comment_length"}
    harmless = {f"central_{name}_{MEMBER}" for name in odd}  # the archive can be read all the same
    for place_of, place_name, fields in ((_central, "central", central), (_local, "local", local)):
        for name, (at, content) in fields.items():
            for member in (MEMBER, "config.json"):

                def make(
                    path: Path, find: Any = place_of, at: int = at, content: bytes = content, name: str = member
                ) -> None:
                    pack(path)
                    overwrite(path, find(path, name) + at, content)

                key = f"{place_name}_{name}_{member}"
                what = f"{member} with a wrong {name.replace('_', ' ')} in its {place_name} header is refused"
                if key in harmless or member == "config.json":
                    contained(
                        f"{key}.keras",
                        what,
                        TWO,
                        DAMAGED,
                        UNSAFE,
                        UNSUPPORTED,
                        show=(0, 3),
                        scale=(0, 2, 3),
                        strip=(0, 2, 3),
                    )(make)
                elif name == "checksum" and place_name == "central":
                    refused(f"{key}.keras", what, TWO, DAMAGED)(make)
                else:
                    refused(f"{key}.keras", what, TWO, DAMAGED, UNSAFE, UNSUPPORTED)(make)


_spoiled()


def _ends() -> None:
    """Fields of the record at the end of the archive."""
    fields: dict[str, tuple[int, bytes]] = {
        "disk": (4, le(1, 2)),
        "count_more": (8, le(4, 2) + le(4, 2)),
        "count_less": (8, le(1, 2) + le(1, 2)),
        "size_more": (12, le(0xFFFFFF, 4)),
        "size_zero": (12, le(0, 4)),
        "offset_more": (16, le(0xFFFFFF, 4)),
        "offset_zero": (16, le(0, 4)),
        "comment_longer": (20, le(50, 2)),
        "zip64_without": (16, le(0xFFFFFFFF, 4)),
        "all_ones": (4, b"\xff" * 16),
    }
    harmless = {"disk", "count_more", "count_less", "zip64_without", "comment_longer"}
    for name, (at, content) in fields.items():

        def make(path: Path, at: int = at, content: bytes = content) -> None:
            pack(path)
            overwrite(path, path.read_bytes().rindex(END) + at, content)

        what = f"an archive whose end has a wrong {name.replace('_', ' ')} is refused"
        if name in harmless:
            contained(
                f"end_{name}.keras", what, TWO, DAMAGED, UNSAFE, UNSUPPORTED, show=(0, 3), scale=(0, 2, 3), strip=(0, 3)
            )(make)
        else:
            refused(f"end_{name}.keras", what, TWO, DAMAGED, UNSAFE, UNSUPPORTED)(make)


_ends()


def _comments() -> None:
    comments = {
        "end_record": END + bytes(18),
        "locator": b"PK\x06\x07" + bytes(16),
        "headers": (LOCAL + CENTRAL) * 500,
        "longest": b"c" * 65_535,
    }
    for name, comment in comments.items():

        def make(path: Path, comment: bytes = comment) -> None:
            pack(path)
            overwrite(path, path.stat().st_size - 2, le(len(comment), 2))
            path.write_bytes(path.read_bytes() + comment)

        contained(
            f"comment_{name}.keras", f"a comment ({name.replace('_', ' ')}) is contained", TWO, DAMAGED, UNSUPPORTED,
            show=(0, 3), scale=(0, 3), strip=(0, 3),
        )(make)  # fmt: skip


_comments()


def _zip64() -> None:
    """Lies in the extra field and in the end record of archives over 4 GiB."""

    def field(path: Path, *numbers: int, kind: int = 1, claimed: int | None = None) -> None:
        info = entry(MEMBER)
        extra = struct.pack(f"<2H{len(numbers)}Q", kind, 8 * len(numbers) if claimed is None else claimed, *numbers)
        pack(path)
        place = _central(path, MEMBER)
        raw = path.read_bytes()
        end = raw.rindex(END)
        name = len(info.filename)
        entry_end = place + 46 + name
        entry_head = bytearray(raw[place:entry_end])
        entry_head[20:28] = b"\xff" * 8
        entry_head[30:32] = le(len(extra), 2)
        tail = bytearray(raw[end:])
        tail[12:16] = le(int.from_bytes(tail[12:16], "little") + len(extra), 4)
        path.write_bytes(raw[:place] + entry_head + extra + raw[entry_end:end] + tail)

    size = len(variable_bytes())
    cases: dict[str, dict[str, Any]] = {
        "sizes_huge": {"numbers": (1 << 62, 1 << 62)},
        "sizes_negative": {"numbers": ((1 << 64) - 1, (1 << 64) - 1)},
        "sizes_apart": {"numbers": (size, size + 1)},
        "one_size": {"numbers": (size,)},
        "no_sizes": {"numbers": ()},
        "claims_more": {"numbers": (size, size), "claimed": 60},
    }
    for name, options in cases.items():

        def make(path: Path, options: dict[str, Any] = options) -> None:
            given = dict(options)
            field(path, *given.pop("numbers"), **given)

        refused(f"zip64_{name}.keras", f"a zip64 field with {name.replace('_', ' ')} is refused", TWO, DAMAGED, UNSAFE)(
            make
        )

    def end(path: Path, count: int, length: int, offset: int) -> None:
        pack(path)
        raw = path.read_bytes()
        place = raw.rindex(END)
        record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, place, 1)
        path.write_bytes(raw[:place] + record + locator + raw[place:])

    ends = {"count_2_63": (1 << 63, 0, 0), "offset_2_63": (3, 200, 1 << 63), "length_2_62": (3, 1 << 62, 0)}
    for name, numbers in ends.items():

        def make_end(path: Path, numbers: tuple[int, int, int] = numbers) -> None:
            end(path, *numbers)

        refused(f"zip64_end_{name}.keras", f"a zip64 end with {name} is refused", TWO, DAMAGED, UNSAFE, UNSUPPORTED)(
            make_end
        )


_zip64()


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
        overwrite(path, _local(path, MEMBER) + 200, b"\x55" * 50)

    refused("deflated_spoiled.keras", "deflated weights that do not inflate are refused", TWO, DAMAGED)(spoiled)

    def sound(path: Path) -> None:
        pack(path, method=zipfile.ZIP_DEFLATED)

    contained("deflated.keras", "deflated weights are inflated and edited", "Keras loads them", weights=4)(sound)


_deflated()


def _deflated_sizes() -> None:
    def claimed(path: Path, size: int) -> None:
        pack(path, method=zipfile.ZIP_DEFLATED)
        for place, at in ((_local(path, MEMBER), 22), (_central(path, MEMBER), 24)):
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

        def other(path: Path, method: int = method) -> None:
            pack(path, method=method)

        contained(
            f"packed_with_{name}.keras", f"weights packed with {name} are contained", "zip allows it", UNSUPPORTED,
            show=(0, 3), scale=(0, 3), strip=(0, 3),
        )(other)  # fmt: skip


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
    place = _central(path, "model.weights.h6")
    overwrite(path, place + 42, le(_local(path, MEMBER), 4))


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


@contained("hdf5_before_zip.weights.h5", "HDF5 with an archive behind it is HDF5", POLYGLOT, DAMAGED, weights=4)
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
    "damage is never blessed", DAMAGED, weights=4, scale=(3,), strip=(3,),
)  # fmt: skip
def _changed(path: Path) -> None:
    pack(path)
    with zipfile.ZipFile(path) as archive:
        raw = archive.read(MEMBER)
    place = path.read_bytes().index(raw)
    overwrite(path, place + raw.index(struct.pack("<f", 12.0)), b"\1")

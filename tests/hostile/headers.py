"""Headers of an archive with a wrong field."""

from __future__ import annotations

import struct
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
    from pathlib import Path

MEMBER = "model.weights.h5"
TWO = "two readers would see two archives"
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def central_place(path: Path, name: str) -> int:
    """Where the entry of a member begins in the archive's directory."""
    raw = path.read_bytes()
    place = raw.index(CENTRAL)
    while raw[place + 46 : place + 46 + len(name)] != name.encode():
        place = raw.index(CENTRAL, place + 1)
    return place


def local_place(path: Path, name: str) -> int:
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
    for place_of, place_name, fields in ((central_place, "central", central), (local_place, "local", local)):
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
        place = central_place(path, MEMBER)
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

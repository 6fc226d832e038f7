"""Members of an archive with hostile names, links, and members that occur twice."""

from __future__ import annotations

import stat
import warnings
import zipfile
from typing import TYPE_CHECKING

from tests.hostile.case import (
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
    contained,
    entry,
    overwrite,
    pack,
    refused,
)
from tests.hostile.headers import MEMBER, TWO, central_place, local_place

if TYPE_CHECKING:
    from pathlib import Path

OUT = "whoever unpacks it would write elsewhere"


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
            places = local_place(path, stand_in) + 30, central_place(path, stand_in) + 46
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

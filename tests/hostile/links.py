"""Links, and storage elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from tests.hostile.case import (
    BIAS,
    DAMAGED,
    MARKER,
    UNSAFE,
    UNSUPPORTED,
    WEIGHTS,
    contained,
    le,
    legacy,
    overwrite,
    refused,
    replace,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUT = "it leads out of the file or to where nobody looked"
HERE = f"{WEIGHTS}/2"
_STAND_IN = "stand-in-for-a-victims-name"  # libhdf5 never sees a victim's name while files are made


def planted(file: str, what: str, why: str, *errors: str) -> Callable[[Callable[[h5py.File], None]], None]:
    """Register a version-3 file into which something refused is planted."""

    def keep(plant: Callable[[h5py.File], None]) -> None:
        def make(path: Path) -> None:
            with variables(path) as opened:
                plant(opened)

        refused(file, what, why, *errors)(make)

    return keep


def _soft_and_external() -> None:
    links = {
        "soft_link": ("a soft link to a weight", h5py.SoftLink(f"/{WEIGHTS}/0")),
        "soft_link_dangling": ("a soft link to nothing", h5py.SoftLink("/nowhere")),
        "soft_link_to_itself": ("a soft link to itself", h5py.SoftLink(f"/{HERE}")),
        "soft_link_upwards": ("a soft link with ..", h5py.SoftLink("../../../../etc")),
        "external_link": ("a link into a victim beside it", h5py.ExternalLink("victim.h5", "/secret")),
        "external_link_absolute": ("a link to a system file", h5py.ExternalLink("/etc/passwd", "/")),
        "external_link_upwards": ("a link out of the folder", h5py.ExternalLink("../victim.h5", "/secret")),
        "external_link_dangling": ("a link to a file that is not there", h5py.ExternalLink("no.h5", "/")),
        "external_link_to_a_device": ("a link to a device", h5py.ExternalLink("/dev/zero", "/")),
        "external_link_to_itself": ("a link to the file itself", h5py.ExternalLink("external_link_to_itself.h5", "/")),
    }
    for name, (what, link) in links.items():

        def plant(file: h5py.File, link: Any = link) -> None:
            file[HERE] = link

        planted(f"{name}.weights.h5", f"{what} is refused", OUT, UNSAFE)(plant)

        def legacy_plant(path: Path, link: Any = link) -> None:
            with legacy(path) as file:
                file["model_weights/dense/dense/more:0"] = link

        refused(f"{name}.h5", f"{what} in a legacy file is refused", OUT, UNSAFE)(legacy_plant)


_soft_and_external()


@refused("user_defined_link.weights.h5", "a link of a kind that a plugin would define is refused", OUT, UNSAFE)
def _user_defined(path: Path) -> None:
    with variables(path) as file:
        file["kind"] = h5py.ExternalLink("victim.h5", "/secret")
    raw = path.read_bytes()
    name = raw.index(b"\x04kind")
    kind = raw.rindex(b"\x40", name - 12, name)
    overwrite(path, kind, b"\xc8")


@refused("link_beyond_the_file.weights.h5", "a link to a place beyond the end of the file is refused", OUT, DAMAGED)
def _beyond(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = BIAS
        address = h5py.h5o.get_info(file[HERE].id).addr
        length = file.id.get_filesize()
    replace(path, le(address), le(length + 4096))


@refused("link_to_values.weights.h5", "a link to a place where values lie is refused", OUT, DAMAGED)
def _to_values(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = BIAS
        address, values = h5py.h5o.get_info(file[HERE].id).addr, file[f"{WEIGHTS}/0"].id.get_offset()
    replace(path, le(address), le(values))


def _external_storage() -> None:
    names = {
        "relative": "victim.bin",
        "upwards": "../victim.bin",
        "absolute": "/etc/passwd",
        "device": "/dev/zero",
        "empty": "",
    }
    for name, victim in names.items():

        def make(path: Path, victim: str = victim) -> None:
            with variables(path) as file:
                creation = h5p.create(h5p.DATASET_CREATE)
                creation.set_external(_STAND_IN.encode(), 0, 16)
                creation.set_alloc_time(h5d.ALLOC_TIME_LATE)
                creation.set_fill_time(h5d.FILL_TIME_NEVER)
                space = h5s.create_simple((4,))
                h5d.create(file[WEIGHTS].id, b"2", h5t.IEEE_F32LE, space, creation)
            replace(path, _STAND_IN.encode(), victim.encode().ljust(len(_STAND_IN), b"\0"))

        refused(
            f"external_storage_{name}.weights.h5",
            f"values kept in another file ({name} name) are refused",
            "HDF5 would read, and on a write overwrite, a file of the sender's choice",
            *((UNSAFE,) if victim else (UNSAFE, DAMAGED)),
        )(make)


_external_storage()


def _virtual() -> None:
    sources = {"relative": "victim.h5", "absolute": "/etc/passwd", "same_file": "."}
    for name, source in sources.items():

        def plant(file: h5py.File, source: str = source) -> None:
            layout = h5py.VirtualLayout((len(MARKER) + 1,), "u1")
            layout[:] = h5py.VirtualSource(source, "secret", (len(MARKER) + 1,), "u1")
            file.create_virtual_dataset(HERE, layout)

        why = "its values come from a file of the sender's choice"
        planted(f"virtual_{name}.weights.h5", f"a virtual dataset ({name} source) is refused", why, UNSAFE)(plant)


_virtual()


@planted("named_datatype.weights.h5", "a named datatype is refused", "it is neither group nor weight", UNSUPPORTED)
def _named(file: h5py.File) -> None:
    file["type"] = np.dtype("f4")


@planted(
    "named_datatype_in_use.weights.h5",
    "a weight of a named datatype is refused with it",
    "the type lies elsewhere in the file",
    UNSUPPORTED,
)
def _named_in_use(file: h5py.File) -> None:
    file["type"] = np.dtype("f4")
    file.create_dataset(HERE, (4,), file["type"])


@contained(
    "named_datatype_without_name.weights.h5",
    "a weight whose type is shared and has no name any more is an ordinary weight",
    "its type is a plain number all the same",
    weights=5,
)
def _shared_type(path: Path) -> None:
    with variables(path) as file:
        file["type"] = np.dtype("f4")
        file.create_dataset(HERE, (4,), file["type"])[:] = 1
        del file["type"]

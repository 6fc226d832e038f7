"""Attributes and lists of names that are not what they should be."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5s, h5t

from tests.hostile.case import (
    DAMAGED,
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
from tests.hostile.contents import HERE, LEFT, NUMBERS, TYPES
from tests.hostile.names import ESCAPED, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _three_of(kind: Callable[[], h5t.TypeID]) -> tuple[h5t.TypeID, tuple[int, ...]]:
    return kind(), (3,)


KEPT = "what is no text is kept as it is, or refused whole"
ATTRIBUTES: dict[str, Callable[[], tuple[h5t.TypeID, tuple[int, ...]]]] = {
    name: functools.partial(_three_of, kind) for name, kind in TYPES.items() if name != "text_of_a_megabyte"
}


def _attributes() -> None:
    for name, kind in TYPES.items():
        if name in {"text_of_a_megabyte", "opaque_large"}:
            continue

        def make(path: Path, kind: Callable[[], h5t.TypeID] = kind) -> None:
            with variables(path) as file:
                for owner in (file[WEIGHTS], file[f"{WEIGHTS}/0"]):
                    h5a.create(owner.id, b"note", kind(), h5s.create_simple((3,)))

        contained(
            f"attribute_{name}.weights.h5", f"an attribute of {name.replace('_', ' ')} is contained", KEPT, UNSUPPORTED,
            DAMAGED, weights=4, scale=(0, 3), strip=(0, 3),
        )(make)  # fmt: skip
    for raw_name, raw in NAMES.items():

        def named(path: Path, raw: bytes = raw[:30_000]) -> None:
            with variables(path) as file:
                owner = h5py.h5o.open(file.id, WEIGHTS.encode())
                values = h5a.create(owner, raw, h5t.C_S1, h5s.create(h5s.SCALAR))
                values.write(np.array(b"x", "S1"))
                file[WEIGHTS].attrs["name"] = np.bytes_(raw)

        contained(
            f"attribute_name_{raw_name}.weights.h5", f"an attribute with a name ({raw_name}) is contained", ESCAPED,
            weights=4,
        )(named)  # fmt: skip


_attributes()


@contained("attributes_10000.weights.h5", "10,000 attributes are kept", KEPT, weights=4)
def _many_attributes(path: Path) -> None:
    with variables(path, libver="latest") as file:
        owner, space = file[WEIGHTS].id, h5s.create(h5s.SCALAR)
        for number in range(10_000):
            h5a.create(owner, b"%d" % number, h5t.STD_I32LE, space)


def _lying_attributes() -> None:
    for name, length in {"2_40": 1 << 40, "2_62": 1 << 62, "300_MB": 300 << 20, "more": 4900}.items():

        def make(path: Path, length: int = length) -> None:
            with variables(path) as file:
                file[WEIGHTS].attrs["note"] = np.zeros(4801, "u1")
            replace(path, le(4801), le(length), times=None)

        refused(
            f"attribute_of_{name}_bytes.weights.h5", f"an attribute of {name.replace('_', ' ')} bytes is refused",
            "the file cannot hold what it declares", DAMAGED, UNSAFE,
        )(make)  # fmt: skip


_lying_attributes()


@refused("attribute_of_300_MB.weights.h5", "an attribute of 300 MB is refused", "the limit is 256", UNSAFE, large=True)
def _huge(path: Path) -> None:
    with variables(path, libver="latest") as file:
        file[WEIGHTS].attrs["note"] = np.zeros(300 << 20, "u1")


def _heap() -> None:
    """Text of any length lies in a global heap: length, address of the heap, number in it."""
    spoiled = {
        "elsewhere": (4, le(1 << 40)),
        "at_the_signature": (4, le(0)),
        "at_a_header": (4, le(96)),
        "undefined": (4, le(-1)),
        "number_999": (12, le(999, 4)),
        "number_0": (12, le(0, 4)),
        "longer": (0, le(5000, 4)),
        "huge": (0, le(0xFFFFFFFF, 4)),
    }
    for name, (place, content) in spoiled.items():

        def make(path: Path, place: int = place, content: bytes = content) -> None:
            with legacy(path) as file:
                file.attrs["note"] = "x" * 4801
            raw = path.read_bytes()
            heap = raw.index(b"GCOL", raw.index(b"x" * 4801) - 4200)
            entry = next(at for at in range(len(raw)) if raw[at : at + 12] == le(4801, 4) + le(heap))
            overwrite(path, entry + place, content)

        contained(
            f"heap_{name}.h5", f"text whose place is {name.replace('_', ' ')} is contained",
            "libhdf5 follows the addresses it is given", DAMAGED, UNSAFE, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
        )(make)  # fmt: skip


_heap()


@contained(
    "attribute_dtype_lies.weights.h5", "two bytes that an attribute calls something else are no bfloat16", NUMBERS,
    UNSUPPORTED, weights=5, **LEFT,
)  # fmt: skip
def _dtype(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = np.zeros(3, "V2")
        file[HERE].attrs["dtype"] = "float8\x1b[31m"


def _lists() -> None:
    """Lists of a legacy file that are none, or name what they should not."""
    texts: dict[str, Any] = {
        "number": 5,
        "empty": h5py.Empty("S1"),
        "text": "dense",
        "twice": [b"dense", b"dense"],
        "parent": [b"..", b"../..", b"../../optimizer_weights"],
        "root": [b"/", b"", b"."],
        "table": np.array([[b"dense", b"dense"], [b"a", b"b"]]),
        "many": np.array([b"%d" % number for number in range(8000)]),
        "numbers": np.arange(5),
    }
    for name, value in texts.items():
        for place, attribute in (("", "layer_names"), ("/dense", "weight_names")):

            def make(path: Path, where: str = place, attribute: str = attribute, value: Any = value) -> None:
                with legacy(path) as file:
                    file[f"model_weights{where}"].attrs[attribute] = value

            contained(
                f"list_{attribute}_{name}.h5", f"a list {attribute} that is {name} is contained", KEPT, DAMAGED,
                UNSUPPORTED, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
            )(make)  # fmt: skip

    def parts(path: Path) -> None:
        with legacy(path) as file:
            group = file["model_weights"]
            del group.attrs["layer_names"]
            for number in (0, 1, 3):
                group.attrs[f"layer_names{number}"] = [b"dense"] if number else 5

    contained("list_in_odd_parts.h5", "a list in odd parts is contained", KEPT, DAMAGED, scale=(0, 2, 3), strip=(0, 3))(
        parts
    )


_lists()

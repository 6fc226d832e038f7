"""Odd types, hostile names, and attributes that are not what they should be."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t

from tests.hostile.case import (
    BIAS,
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Kinds = dict[str, Callable[[], Any]]

HERE = f"{WEIGHTS}/2"
NUMBERS = "only plain numbers and booleans can be weights"
LEFT: dict[str, Any] = {"scale": (0, 2, 3), "strip": (0, 3)}
"""What is no number may be listed; an edit may leave it, or refuse."""


def _float(size: int, *fields: int) -> h5t.TypeID:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(*fields)
    kind.set_size(size)
    return kind


def _precise(kind: h5t.TypeID, precision: int, offset: int = 0) -> h5t.TypeID:
    kind = kind.copy()
    kind.set_precision(precision)
    kind.set_offset(offset)
    return kind


def _three_bytes() -> h5t.TypeID:
    kind = h5t.STD_I32LE.copy()
    kind.set_precision(24)
    kind.set_size(3)
    return kind


def _enumeration(base: h5t.TypeID, **members: int) -> h5t.TypeID:
    kind = h5t.enum_create(base)
    for name, value in members.items():
        kind.enum_insert(name.encode(), value)
    return kind


def _string(size: int) -> h5t.TypeID:
    kind = h5t.C_S1.copy()
    kind.set_size(size)
    return kind


def _opaque(size: int, tag: bytes = b"") -> h5t.TypeID:
    kind = h5t.create(h5t.OPAQUE, size)
    kind.set_tag(tag)
    return kind


def _compound() -> h5t.TypeID:
    kind = h5t.create(h5t.COMPOUND, 12)
    kind.insert(b"a", 0, h5t.IEEE_F32LE)
    kind.insert(b"b", 4, h5t.IEEE_F64LE)
    return kind


TYPES: Kinds = {
    "text_fixed": lambda: _string(7),
    "text_of_any_length": lambda: _string(h5t.VARIABLE),
    "text_of_a_megabyte": lambda: _string(1 << 20),
    "ragged": lambda: h5t.vlen_create(h5t.IEEE_F32LE),
    "ragged_of_ragged": lambda: h5t.vlen_create(h5t.vlen_create(h5t.IEEE_F32LE)),
    "compound": _compound,
    "complex": lambda: h5t.py_create(np.dtype("c8")),
    "array": lambda: h5t.array_create(h5t.IEEE_F32LE, (3,)),
    "reference": lambda: h5t.STD_REF_OBJ,
    "region": lambda: h5t.STD_REF_DSETREG,
    "enumeration": lambda: _enumeration(h5t.STD_I8LE, A=0, B=7),
    "boolean_inside_out": lambda: _enumeration(h5t.STD_I8LE, FALSE=1, TRUE=0),
    "boolean_of_four_bytes": lambda: _enumeration(h5t.STD_I32LE, FALSE=0, TRUE=1),
    "opaque_1": lambda: _opaque(1),
    "opaque_3": lambda: _opaque(3),
    "opaque_2_with_a_tag": lambda: _opaque(2, b"\x1b[31mtag"),
    "opaque_large": lambda: _opaque(60_000),
    "bit_field": lambda: h5t.STD_B32LE,
    "long_double": lambda: h5t.NATIVE_LDOUBLE,
    "integer_of_three_bytes": _three_bytes,
    "integer_of_seven_bits": lambda: _precise(h5t.STD_I8LE, 7),
    "integer_shifted": lambda: _precise(h5t.STD_I32LE, 20, 4),
    "float_of_eight_bits": lambda: _float(1, 7, 3, 4, 0, 3),
    "bfloat16_as_float": lambda: _float(2, 15, 7, 8, 0, 7),
    "float_inside_out": lambda: _float(4, 0, 1, 8, 9, 23),
    "time": lambda: h5t.UNIX_D32LE,
}


def _types() -> None:
    for name, kind in TYPES.items():

        def make(path: Path, kind: Callable[[], h5t.TypeID] = kind) -> None:
            with variables(path) as file:
                creation = h5p.create(h5p.DATASET_CREATE)
                creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
                h5d.create(file[WEIGHTS].id, b"2", kind(), h5s.create_simple((3,)), creation)

        what = f"a weight of {name.replace('_', ' ')} is listed and never taken for numbers"
        contained(f"type_{name}.weights.h5", what, NUMBERS, UNSUPPORTED, DAMAGED, weights=5, **LEFT)(make)


_types()


@contained("type_of_no_space.weights.h5", "a dataset that can hold nothing is no obstacle", NUMBERS, weights=5)
def _null(path: Path) -> None:
    with variables(path) as file:
        file[HERE] = h5py.Empty("f4")


@refused("type_of_size_zero.weights.h5", "a number of no bytes is refused", NUMBERS, DAMAGED, UNSUPPORTED)
def _zero(path: Path) -> None:
    with variables(path) as file:
        file.create_dataset(HERE, data=np.zeros(5, "V4801"))
    replace(path, le(4801, 4), le(0, 4), times=None)


@contained(
    "float_order_vax.weights.h5", "a number in VAX's byte order is not taken for ours", NUMBERS, DAMAGED, UNSUPPORTED,
    show=(0, 3), **LEFT,
)  # fmt: skip
def _vax(path: Path) -> None:
    with variables(path) as file:
        kind = h5t.IEEE_F32LE.copy()
        kind.set_order(h5t.ORDER_VAX)
        h5d.create(file[WEIGHTS].id, b"2", kind, h5s.create_simple((3,)))


ESCAPED = "a name must not steer a terminal, fool a reader or leave its line"
NAMES = {
    "ansi": b"a\x1b[31m\x1b[2J",
    "title": b"\x1b]0;owned\x07",
    "newline": b"a\nweightkit: done\r",
    "bidi": "a\u202eflow\u2066".encode(),
    "no_width": "a\u200b\ufeff".encode(),
    "c1": b"\xc2\x9b31m",
    "no_utf8": b"\xff\xfe\x80a",
    "surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf",
    "long": b"long" * 15_000,
    "parent": b"..",
    "space": b" ",
    "tab": b"\t",
    "delete": b"\x7f\x08",
    "backslash": b"a\\x1b",
    "pattern": b"*[{!~",
    "drive": b"C:\\evil",
    "option": b"--force",
    "markup": b"[bold red]a[]",
    "format": b"%s%n{0}",
}


def _weight_in(file: h5py.File, name: bytes) -> None:
    group = h5g.create(h5g.create(file["layers"].id, name), b"vars")
    h5d.create(group, b"0", h5t.IEEE_F32LE, h5s.create_simple((4,))).write(h5s.ALL, h5s.ALL, BIAS)


def _names() -> None:
    for name, raw in NAMES.items():

        def make(path: Path, raw: bytes = raw) -> None:
            with variables(path) as file:
                _weight_in(file, raw)

        def make_refused(path: Path, raw: bytes = raw) -> None:
            with variables(path) as file:
                _weight_in(file, raw)
                group = h5g.open(file.id, b"layers/" + raw)
                group.links.create_soft(raw, b"/nowhere")

        def make_listed(path: Path, raw: bytes = raw[:30_000]) -> None:
            with legacy(path) as file:
                group = file["model_weights"]
                group.attrs.create("layer_names", np.array([b"dense", raw]))
                layer = h5py.Group(h5g.create(group.id, raw))
                layer.attrs.create("weight_names", np.array([raw + b"/" + raw if len(raw) < 99 else b"kernel:0"]))
                file.attrs["keras_version"] = raw.decode("utf-8", "replace")
                file.attrs["backend"] = np.bytes_(raw)

        contained(f"name_{name}.weights.h5", f"a name ({name}) is printed escaped", ESCAPED, weights=5)(make)
        refused(f"name_{name}_refused.weights.h5", f"a refusal names a {name} name escaped", ESCAPED, UNSAFE)(
            make_refused
        )
        contained(
            f"name_{name}.h5", f"a list with a name ({name}) that leads nowhere is contained", ESCAPED, DAMAGED,
            show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
        )(make_listed)  # fmt: skip


_names()


def _patched_names() -> None:
    spoiled = {
        "absolute": b"/etc/passwd",
        "with_slash": b"aa/bbbb/ccc",
        "with_null": b"aa\0bbbbbccc",
        "empty": b"\0" * 11,
        "taken": b"dense\0\0\0\0\0\0",
        "dot": b".\0\0\0\0\0\0\0\0\0\0",
    }
    for name, raw in spoiled.items():

        def make(path: Path, raw: bytes = raw) -> None:
            with variables(path) as file:
                _weight_in(file, b"stand-in-00")
            replace(path, b"stand-in-00", raw)

        contained(
            f"name_{name}.weights.h5", f"a name that is {name.replace('_', ' ')} is contained", ESCAPED,
            DAMAGED, UNSAFE,
            UNSUPPORTED, show=(0, 3), scale=(0, 2, 3), strip=(0, 3),
        )(make)  # fmt: skip

    def unterminated(path: Path) -> None:
        with variables(path) as file:
            _weight_in(file, b"stand-in-00")
        raw = bytearray(path.read_bytes())
        place = raw.index(b"stand-in-00")
        raw[place : place + 64] = b"x" * 64
        path.write_bytes(raw)

    refused("name_without_end.weights.h5", "a name without an end is refused", ESCAPED, DAMAGED)(unterminated)


_patched_names()


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

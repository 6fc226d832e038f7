"""Names of weights that would steer a terminal or fool a reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np
from h5py import h5d, h5g, h5s, h5t

from tests.hostile.case import (
    BIAS,
    CONFIG,
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
    WEIGHTS,
    contained,
    legacy,
    refused,
    replace,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path


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
    "long": b"long" * 1000,
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

        def make_listed(path: Path, raw: bytes = raw) -> None:
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


BOUNDED = "a name is repeated for each weight below it, and searched by every selection"


@refused("name_endless.weights.h5", "a name of 60,000 characters is refused", BOUNDED, UNSAFE)
def _endless(path: Path) -> None:
    with variables(path) as file:
        _weight_in(file, b"long" * 15_000)


@refused("name_endless_told.weights.h5", "an object's name of 60,000 characters is refused", BOUNDED, UNSAFE)
def _endless_told(path: Path) -> None:
    with variables(path) as file:
        file[WEIGHTS].attrs["name"] = "long" * 15_000


@refused("name_of_layers.weights.h5", "a name that stands for 200 layers in layers is refused", BOUNDED, UNSAFE)
def _of_layers(path: Path) -> None:
    with variables(path) as file:
        file[WEIGHTS].attrs["name"] = "/".join("a" * 200)


@refused("name_endless_class.h5", "a class's name of 60,000 characters is refused", BOUNDED, UNSAFE)
def _endless_class(path: Path) -> None:
    with legacy(path, config=json.dumps(CONFIG).replace('"Dense"', '"' + "Dense" * 12_000 + '"')):
        pass


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

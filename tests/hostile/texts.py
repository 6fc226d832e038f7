"""Configurations that are hostile JSON, files cut short, and files that are something else."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hostile.case import (
    CONFIG,
    DAMAGED,
    UNSAFE,
    UNSUPPORTED,
    contained,
    legacy,
    legacy_bytes,
    pack,
    refused,
    variable_bytes,
)

if TYPE_CHECKING:
    from pathlib import Path


def _nested_models(levels: int) -> bytes:
    """A model in a model in a model; written without recursion."""
    head = '{"class_name":"Sequential","config":{"name":"m","layers":['
    inner = '{"class_name":"Dense","config":{"name":"dense","units":4}}'
    return (head * levels + inner + "]}}" * levels).encode()


def _model(**changed: Any) -> bytes:
    return json.dumps(CONFIG | {"config": CONFIG["config"] | changed}).encode()


def _layer(**changed: Any) -> bytes:
    return _model(layers=[CONFIG["config"]["layers"][0] | changed])


TEXTS: dict[str, bytes] = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep_objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep_900": b'{"config":' + b"[" * 900 + b"]" * 900 + b"}",
    "nested_models_100": _nested_models(100),
    "nested_models_300": _nested_models(300),
    "nested_models_450": _nested_models(450),
    "huge_integer": b'{"class_name":"Sequential","config":' + b"9" * 100_000 + b"}",
    "huge_integer_short_of_the_limit": _model(build_input_shape=[10**4299]),
    "huge_exponent": b'{"class_name":"Sequential","config":{"name":"a","layers":[1e999999999]}}',
    "not_a_number": b'{"class_name":"Sequential","config":{"name":NaN,"layers":[Infinity,-Infinity]}}',
    "duplicate_keys": b'{"class_name":"Sequential","config":{"layers":[]},"config":{"layers":5},"config":[]}',
    "a_list": b"[1,2,3]",
    "a_number": b"5",
    "text": b'"text"',
    "null": b"null",
    "cut": json.dumps(CONFIG).encode()[:-20],
    "no_utf8": b'{"class_name":"\xff\xfe"}',
    "byte_order_mark": b"\xef\xbb\xbf" + json.dumps(CONFIG).encode(),
    "utf16": json.dumps(CONFIG).encode("utf-16"),
    "surrogate": _layer(config={"name": "\ud800dense", "units": 4}),
    "null_in_a_name": _layer(config={"name": "den\0se"}),
    "ansi": _layer(class_name="\x1b[31mDense", config={"name": "\x1b[2J\u202edense"}),
    "class_is_a_list": _layer(class_name=["Dense"]),
    "class_is_an_object": _layer(class_name={"a": 1}),
    "config_is_a_list": _layer(config=[1]),
    "config_is_null": _layer(config=None),
    "name_is_a_number": _layer(config={"name": 5}),
    "name_is_a_list": _layer(config={"name": ["dense"]}),
    "module_is_a_number": _layer(module=7, registered_name={"a": []}),
    "layers_is_a_number": _model(layers=5),
    "layers_is_an_object": _model(layers={"a": {"b": 1}}),
    "layers_of_anything": _model(layers=[None, 1, "dense", [], {}, [[]], {"config": {}}, True]),
    "layers_are_100000": _model(layers=[{"class_name": "Dense", "config": {"name": "dense"}}] * 100_000),
    "nodes_wrong": json.dumps(
        {
            "class_name": "Functional",
            "config": {
                "name": "m",
                "layers": [{"class_name": "Dense", "config": {"name": "dense"}, "inbound_nodes": 5}],
            },
            "input_layers": 5,
        }
    ).encode(),
    "wrapper_of_nothing": _layer(class_name="Bidirectional", config={"name": "dense", "layer": None}),
    "wrapper_of_wrapper": _layer(
        class_name="TimeDistributed", config={"name": "dense", "layer": {"class_name": "TimeDistributed", "config": 5}}
    ),
    "units_wrong": _layer(config={"name": "dense", "units": "many", "use_bias": "perhaps", "dtype": {"a": [1]}}),
    "dtype_wrong": _layer(config={"name": "dense", "dtype": [[]]}),
    "compile_wrong": json.dumps(CONFIG | {"compile_config": [1, {"a": None}]}).encode(),
    "compile_text": json.dumps(CONFIG | {"compile_config": "x" * 100_000}).encode(),
    "empty": b"",
}
MAY_BE_STRIPPED: dict[str, Any] = {"scale": (0, 2, 3), "strip": (0, 2, 3)}
METADATA = {"deep", "huge_integer", "not_a_number", "a_list", "text", "no_utf8", "surrogate", "empty"}
NO_OBSTACLE = "a configuration only gives names; a hostile one gives none"


def _as_attribute(text: bytes) -> Any:
    try:
        return text.decode().replace("\0", "")
    except UnicodeDecodeError:
        return np.bytes_(text)


def _configs() -> None:
    for name, text in TEXTS.items():

        def in_archive(path: Path, text: bytes = text) -> None:
            pack(path, config=text)

        def in_attribute(path: Path, text: bytes = text) -> None:
            with legacy(path, config=_as_attribute(text)):
                pass

        def beside(path: Path, text: bytes = text) -> None:
            pack(path, metadata=text)

        words = name.replace("_", " ")
        contained(
            f"config_{name}.keras", f"a config.json ({words}) is contained", NO_OBSTACLE, DAMAGED, UNSAFE, weights=4,
            **MAY_BE_STRIPPED,
        )(in_archive)  # fmt: skip
        contained(
            f"config_{name}.h5", f"a model_config ({words}) is contained", NO_OBSTACLE, DAMAGED, UNSAFE, weights=4,
            **MAY_BE_STRIPPED,
        )(in_attribute)  # fmt: skip
        if name in METADATA:
            contained(
            f"metadata_{name}.keras", f"a metadata.json that is {words} is contained", NO_OBSTACLE, DAMAGED, UNSAFE,
            weights=4, **MAY_BE_STRIPPED,
            )(beside)  # fmt: skip


_configs()


def _versions() -> None:
    for name, version in {
        "number": 3,
        "list": ["3"],
        "ansi": "\x1b[31m3\n.1",
        "long": "3." * 100_000,
        "none": None,
    }.items():

        def make(path: Path, version: Any = version) -> None:
            pack(path, metadata=json.dumps({"keras_version": version}).encode())

        contained(
            f"version_{name}.keras", f"a version of Keras that is {name} is contained", NO_OBSTACLE, weights=4,
            **MAY_BE_STRIPPED,
        )(make)  # fmt: skip


_versions()


@refused("config_50_MB.keras", "a config.json of 50 MB is refused", "no model takes so many words", UNSAFE, large=True)
def _large_member(path: Path) -> None:
    pack(path, config=b'{"class_name":"Sequential","config":{"layers":[' + b'{"a":[1,2]},' * 4_200_000 + b"{}]}}")


@refused("config_50_MB.h5", "a model_config of 50 MB is refused", "no model takes so many words", UNSAFE, large=True)
def _large_attribute(path: Path) -> None:
    with legacy(path, config='{"a":"' + "x" * (50 << 20) + '"}'):
        pass


CUT = "the rest is missing"


def _pieces(length: int) -> dict[str, int]:
    """How many bytes are kept, by name."""
    fixed = {f"at_{place}": place for place in (1, 7, 8, 9, 24, 48, 95, 96, 97, 512)}
    parts = {f"at_{percent}_percent": length * percent // 100 for percent in (12, 25, 37, 50, 62, 75, 87, 95)}
    return fixed | parts | {"before_the_last_byte": length - 1, "before_the_last_22": length - 22}


def _truncations() -> None:
    formats = {".weights.h5": variable_bytes, ".h5": legacy_bytes, ".keras": _archive_bytes}
    for suffix, content in formats.items():
        for name, kept in _pieces(len(content())).items():

            def make(path: Path, content: Any = content, kept: int = kept) -> None:
                path.write_bytes(content()[:kept])

            refused(
                f"cut_{name}{suffix}",
                f"a {suffix} file cut {name.replace('_', ' ')} is refused",
                CUT,
                DAMAGED,
                UNSUPPORTED,
            )(make)


def _archive_bytes() -> bytes:
    import io  # noqa: PLC0415

    content = io.BytesIO()
    pack(content)
    return content.getvalue()


_truncations()

OTHER = "it is no weight file"


def _others() -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    contents = {
        "empty.h5": b"",
        "empty.keras": b"",
        "one_byte.h5": b"\0",
        "text.h5": b"not HDF5\n",
        "index.json": b'{"metadata": {}, "weight_map": {"/layers/dense/vars": ["model_00000.weights.h5"]}}',
        "index.weights.h5": b'\n {"weight_map": {}}',
        "picture.h5": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "gzip.h5": b"\x1f\x8b\x08\0" + bytes(100),
        "pickle.h5": b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
        "safetensors.h5": struct.pack("<Q", len(header)) + header + bytes(4),
        "hdf4.h5": b"\x0e\x03\x13\x01" + bytes(1000),
        "signature.h5": b"\x89HDF\r\n\x1a\n",
        "signature_at_512.h5": bytes(512) + b"\x89HDF\r\n\x1a\n",
        "signature_spoiled.h5": b"\x89HDF\n\n\x1a\n" + variable_bytes()[8:],
        "zip_signature.keras": b"PK\x03\x04",
        "zip_noise.keras": b"PK\x03\x04" + np.random.default_rng(1).bytes(500),
        "zip_empty.keras": b"PK\x05\x06" + bytes(18),
        "zip_spanned.keras": b"PK\x07\x08" + _archive_bytes(),
        "noise.h5": b"\x89HDF\r\n\x1a\n" + np.random.default_rng(2).bytes(5000),
        "zeros.h5": bytes(100_000),
    }
    for file, content in contents.items():

        def make(path: Path, content: bytes = content) -> None:
            path.write_bytes(content)

        refused(f"other_{file}", f"{file.replace('_', ' ')} is refused", OTHER, UNSUPPORTED, DAMAGED)(make)


_others()


@refused("other_sparse_terabyte.h5", "a terabyte of zeros is refused at once", OTHER, UNSUPPORTED)
def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@refused(
    "other_signature_far_away.h5",
    "a signature after half a terabyte of nothing is refused",
    OTHER,
    DAMAGED,
    UNSUPPORTED,
)
def _far(path: Path) -> None:
    with path.open("wb") as file:
        file.seek(1 << 39)
        file.write(b"\x89HDF\r\n\x1a\n" + bytes(100))


@contained(
    "other_junk_at_the_end.weights.h5", "junk behind the last byte is no obstacle", "HDF5 allows it", DAMAGED, weights=4
)
def _junk(path: Path) -> None:
    path.write_bytes(variable_bytes() + b"junk" * 100)


@refused("other_pipe.h5", "a pipe that nobody writes to is refused at once", OTHER, UNSUPPORTED)
def _pipe(path: Path) -> None:
    os.mkfifo(path)


@refused("other_folder.h5", "a folder is refused", OTHER, UNSUPPORTED)
def _folder(path: Path) -> None:
    path.mkdir()


@refused("other_device.h5", "a link to a device is refused", OTHER, UNSUPPORTED)
def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")

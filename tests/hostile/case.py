"""What one hostile file is: how it is made, what must become of it, and why; and the sound files they start from."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MARKER = b"planted-victim-7f3a9c51"  # in every victim, searched for in all output
VERBS = ("show", "scale", "strip")
EXTRA = ("stats", "other_format")  # run where a case says how they end: values measured; a suffix of another format
DAMAGED, UNSAFE, UNSUPPORTED = "DamagedFileError", "UnsafeFileError", "UnsupportedFileError"
REFUSED = 3
FINE = (0,)

CONFIG: dict[str, Any] = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [{"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 4}}],
    },
    "compile_config": {"optimizer": "adam", "loss": "mse"},
}
METADATA = {"keras_version": "3.15.1", "date_saved": "2026-11-21@12:00:00"}
KERNEL, BIAS = np.arange(1, 13, dtype="f4").reshape(3, 4), np.ones(4, "f4")
WEIGHTS, OPTIMIZER = "layers/dense/vars", "optimizer/vars"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile file."""

    file: str
    what: str
    """The sentence of its test."""
    make: Callable[[Path], None]
    why: str
    errors: tuple[str, ...]
    """Classes that a refusal may have."""
    exits: dict[str, tuple[int, ...]]
    """For each verb the exit codes that it may end with."""
    weights: int | None = None
    """How many weights ``show`` lists, where it does."""
    large: bool = False
    """Left out of the suite, since it takes long to make or to read."""

    def record(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        contained = 0 in self.exits["show"]
        return {
            "what": self.what,
            "expected": "contained" if contained else "refused",
            "why": self.why,
            "errors": list(self.errors),
            "exits": {verb: list(codes) for verb, codes in self.exits.items()},
            "weights": self.weights,
            "large": self.large,
        }


CASES: list[Case] = []


def refused(file: str, what: str, why: str, *errors: str, large: bool = False) -> Callable[..., Any]:
    """Register the maker of a file that every command refuses with exit 3, in one of these classes."""
    return _adding(file, what, why, errors, exits=dict.fromkeys(VERBS, (REFUSED,)), large=large)


def contained(
    file: str,
    what: str,
    why: str,
    *errors: str,
    weights: int | None = None,
    large: bool = False,
    **exits: tuple[int, ...],
) -> Callable[..., Any]:
    """Register the maker of a file that may be opened; the exits of verbs are 0 where nothing else is said."""
    return _adding(file, what, why, errors, exits=dict.fromkeys(VERBS, FINE) | exits, weights=weights, large=large)


def _adding(file: str, what: str, why: str, errors: tuple[str, ...], **expected: Any) -> Callable[..., Any]:
    def keep(make: Callable[[Path], None]) -> Callable[[Path], None]:
        assert all(case.file != file for case in CASES), file
        CASES.append(Case(file, what, make, why, errors, **expected))
        return make

    return keep


@contextlib.contextmanager
def variables(target: Any, **options: Any) -> Iterator[h5py.File]:
    """A sound version-3 file, open to be spoiled."""
    with h5py.File(target, "w", **options) as file:
        file[f"{WEIGHTS}/0"], file[f"{WEIGHTS}/1"] = KERNEL, BIAS
        file[f"{OPTIMIZER}/0"], file[f"{OPTIMIZER}/1"] = np.int64(7), KERNEL
        yield file


@contextlib.contextmanager
def legacy(target: Any, config: str | bytes | None = None, **options: Any) -> Iterator[h5py.File]:
    """A sound legacy model, open to be spoiled."""
    with h5py.File(target, "w", **options) as file:
        file.attrs["model_config"] = json.dumps(CONFIG) if config is None else config
        file.attrs["training_config"] = '{"loss": "mse"}'
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"dense"]
        layer = group.create_group("dense")
        layer.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        layer["dense/kernel:0"], layer["dense/bias:0"] = KERNEL, BIAS
        state = file.create_group("optimizer_weights")
        state.attrs["weight_names"] = [b"Adam/iter:0", b"Adam/m:0"]
        state["Adam/iter:0"], state["Adam/m:0"] = np.int64(7), KERNEL
        yield file


def variable_bytes(**options: Any) -> bytes:
    """The bytes of a sound version-3 file."""
    content = io.BytesIO()
    with variables(content, **options):
        pass
    return content.getvalue()


def legacy_bytes() -> bytes:
    """The bytes of a sound legacy file."""
    content = io.BytesIO()
    with legacy(content):
        pass
    return content.getvalue()


def entry(name: str, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A member whose time is always the same."""
    info = zipfile.ZipInfo(name, (2026, 11, 21, 12, 0, 0))
    info.compress_type = method
    return info


def pack(
    target: Any,
    *,
    config: bytes | None = None,
    metadata: bytes | None = None,
    weights: bytes | None = None,
    method: int = zipfile.ZIP_STORED,
    before: tuple[tuple[Any, bytes], ...] = (),
    behind: tuple[tuple[Any, bytes], ...] = (),
) -> None:
    """An archive with Keras' members in Keras' order, and others before and behind the weights."""
    with zipfile.ZipFile(target, "w") as archive:
        text = json.dumps(METADATA).encode() if metadata is None else metadata
        archive.writestr(entry("metadata.json", zipfile.ZIP_DEFLATED), text)
        text = json.dumps(CONFIG).encode() if config is None else config
        archive.writestr(entry("config.json", zipfile.ZIP_DEFLATED), text)
        for name, content in before:
            archive.writestr(entry(name) if isinstance(name, str) else name, content)
        archive.writestr(entry("model.weights.h5", method), variable_bytes() if weights is None else weights)
        for name, content in behind:
            archive.writestr(entry(name) if isinstance(name, str) else name, content)


def replace(path: Path, old: bytes, new: bytes, *, times: int | None = 1) -> None:
    """Replace bytes that occur so often in a file; None stands for any number but zero."""
    assert len(old) == len(new), (old, new)
    raw = path.read_bytes()
    found = raw.count(old)
    assert found == times or (times is None and found), (path.name, old, found)
    path.write_bytes(raw.replace(old, new))


def overwrite(path: Path, place: int, content: bytes) -> None:
    """Overwrite bytes of a file at a place; a negative one counts from the end."""
    raw = bytearray(path.read_bytes())
    place += len(raw) if place < 0 else 0
    raw[place : place + len(content)] = content
    path.write_bytes(raw)


def le(number: int, size: int = 8) -> bytes:
    """A number as HDF5 and zip store it."""
    return (number % (1 << 8 * size)).to_bytes(size, "little")

"""What is edited while faults strike: every verb, on every format, to every kind of place."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMATS = {"legacy": "model.h5", "weights": "model.weights.h5", "keras": "model.keras"}
"""A file's name by its format."""

VERBS: dict[str, tuple[str, ...]] = {
    "scale": ("scale", "--factor", "0.5"),
    "rebuild": ("scale", "--factor", "0.5"),  # of chunked, compressed weights
    "cast": ("cast", "--to", "float16"),
    "strip": ("strip",),
    "drop": ("drop", "--where", "name:bias"),
    "restore": ("restore",),
}
"""A command by the name of what it exercises."""

PLACES: dict[str, tuple[str, ...]] = {
    "in-place": (),
    "no-backup": ("--no-backup",),
    "output": ("-o",),
    "force": ("-o", "--force"),
    "poor": (),  # in place, on a file system without links and without copies by the kernel
}
"""Options by where the result goes."""

_AGAIN = ("scale", "--factor", "0.25")
_EARLIER = b"a backup of long ago"
_OVERWRITTEN = b"what --force overwrites"

Files = dict[str, tuple[str, int]]
"""Digest and mode of every file in a folder, by name."""


@dataclass(frozen=True, slots=True)
class Case:
    """One edit: a verb, a format, a place."""

    verb: str
    format: str
    place: str

    def __str__(self) -> str:
        return f"{self.verb} {self.format} {self.place}"

    @property
    def source(self) -> str:
        """Name of the file that is edited."""
        return FORMATS[self.format]

    @property
    def target(self) -> str:
        """Name of the file that is to change."""
        return self.source.replace("model", "out") if self.place in {"output", "force"} else self.source

    @property
    def keeps_old(self) -> bool:
        """Whether the old file must be there when the new one is."""
        return self.place in {"in-place", "poor"}

    @property
    def poor(self) -> bool:
        """Whether the file system can only do the least."""
        return self.place == "poor"

    def command(self) -> list[str]:
        """The command line, in the folder of the file."""
        verb, *options = VERBS[self.verb]
        return [verb, self.source, *options, *self._options(PLACES[self.place])]

    def next_command(self) -> list[str]:
        """What the user does next, whatever became of the first."""
        verb, *options = _AGAIN
        where = PLACES["force" if self.place == "output" else self.place]
        return [verb, self.source, *options, *self._options(where)]

    def _options(self, options: tuple[str, ...]) -> list[str]:
        return [part for option in options for part in ([option, self.target] if option == "-o" else [option])]

    def prepare(self, folder: Path) -> None:
        """Empty a folder and put into it what there is before the edit."""
        for path in folder.iterdir():
            path.unlink()
        for name, content in self._contents().items():
            _put(folder / name, content)

    def _contents(self) -> Mapping[str, bytes]:
        model = source(self.format, chunked=self.verb == "rebuild")
        found = {self.source: model}
        if self.verb == "restore":
            return {self.source: source(self.format, seed=1), f"{self.source}.bak": model}
        if self.place == "force":
            found[self.target] = _OVERWRITTEN
        if self.target == self.source:
            found[f"{self.source}.bak"] = _EARLIER
        return found


def cases(verbs: list[str], formats: list[str], places: list[str]) -> list[Case]:
    """Every case of these verbs, formats and places; what is restored goes to its own place."""
    return [
        Case(verb, form, place)
        for verb in verbs
        for form in formats
        for place in places
        if verb != "restore" or place not in {"output", "force"}
    ]


def files(folder: Path) -> Files:
    """Everything in a folder: what it holds and its mode."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode) for path in folder.iterdir()
    }


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o640)
    if hasattr(os, "setxattr"):
        try:
            os.setxattr(path, "user.note", b"to be kept")
        except OSError:  # a file system without them
            return


_SOURCES: dict[tuple[str, bool, int], bytes] = {}


def source(form: str, *, chunked: bool = False, seed: int = 0) -> bytes:
    """A small model with two layers and an optimizer in a format, the same bytes each time."""
    key = (form, chunked, seed)
    if key not in _SOURCES:
        _SOURCES[key] = _MAKERS[form](_values(seed), chunked)
    return _SOURCES[key]


_Values = dict[str, np.ndarray]


def _values(seed: int) -> _Values:
    numbers = np.random.default_rng(seed)
    shapes = {"dense/kernel": (4, 3), "dense/bias": (3,), "dense_1/kernel": (3, 2), "dense_1/bias": (2,)}
    return {name: numbers.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _dataset(group: h5py.Group, name: str, values: np.ndarray, *, chunked: bool) -> None:
    options = {"chunks": (2,) * values.ndim, "compression": 4, "shuffle": True, "fletcher32": True} if chunked else {}
    group.create_dataset(name, data=values, track_times=False, **options)


def _legacy(values: _Values, chunked: bool) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"], file.attrs["training_config"] = json.dumps(_CONFIG), '{"loss": "mse"}'
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        weights, layers = file.create_group("model_weights"), sorted({name.split("/")[0] for name in values})
        weights.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer}/{name}:0" for name in ("kernel", "bias")]
            weights.create_group(layer).attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                _dataset(weights[layer], name, values[name[:-2]], chunked=chunked)
        slots = file.create_group("optimizer_weights")
        slots.attrs["weight_names"] = [b"SGD/iterations:0", b"SGD/momentum:0"]
        _dataset(slots, "SGD/iterations:0", np.array(7), chunked=False)
        _dataset(slots, "SGD/momentum:0", values["dense/kernel"], chunked=chunked)
    return content.getvalue()


def _variables(values: _Values, chunked: bool) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in values.items():
            layer, weight = name.split("/")
            _dataset(file, f"layers/{layer}/vars/{int(weight == 'bias')}", array, chunked=chunked)
        _dataset(file, "optimizer/vars/0", np.array(7), chunked=False)
        _dataset(file, "optimizer/vars/1", values["dense/kernel"], chunked=chunked)
    return content.getvalue()


def _archive(values: _Values, chunked: bool) -> bytes:
    content, config = io.BytesIO(), _CONFIG | {"compile_config": {"optimizer": "sgd", "loss": "mse"}}
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (("metadata.json", {"keras_version": "3.15.1"}), ("config.json", config)):
            archive.writestr(zipfile.ZipInfo(name, _BIRTHDAY), json.dumps(text), zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("model.weights.h5", _BIRTHDAY), _variables(values, chunked))
    return content.getvalue()


_BIRTHDAY = (2026, 1, 1, 0, 0, 0)
_MAKERS = {"legacy": _legacy, "weights": _variables, "keras": _archive}


def _layer(name: str, units: int) -> dict[str, object]:
    return {"class_name": "Dense", "config": {"name": name, "units": units, "use_bias": True, "dtype": "float32"}}


_CONFIG: dict[str, object] = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {"name": "sequential", "layers": [_layer("dense", 3), _layer("dense_1", 2)]},
}

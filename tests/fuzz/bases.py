"""The sound files that mutations start from, and what the reading process says of each."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import pickle
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import h5py
import numpy as np

from tests.fuzz.reader import Json, PreparedScanner, Request, end_of, key_of, limits_as_sent, lines
from weightkit.access import open as opening
from weightkit.access.hdf5.child import serve
from weightkit.errors import WeightkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from weightkit.access.hdf5.file_store import FileStore

_DATA = Path(__file__).parents[1] / "data"
WEIGHTS, CONFIG, METADATA = "model.weights.h5", "config.json", "metadata.json"


@dataclass(frozen=True)
class Subject:
    """A file, and what is said of it: what one case opens."""

    name: str
    content: bytes
    replies: dict[Request, list[Any]] = field(default_factory=dict)
    raw: Callable[[bytes], bytes] | None = None
    """What happens to an answer's bytes on their way."""

    def open(self) -> FileStore:
        """Open it as any file, with a reader that says what is prepared."""
        return _opened(self.content, self.name, self._answer)

    @functools.cached_property
    def sent(self) -> dict[Request, bytes]:
        """Its answers as they are sent; to be made before the parent's time and memory are measured."""
        return {key: lines(records) for key, records in self.replies.items()}

    def _answer(self, request: Json, _: Sequence[int]) -> bytes:
        key = key_of(request)
        answer = self.sent.get(key, b"") + end_of(self.replies.get(key, []), request)
        return self.raw(answer) if self.raw and request["do"] == "scan" else answer

    def records(self) -> list[Any]:
        """A copy of what is said of its objects; pickling is many times faster than copying."""
        records: list[Any] = pickle.loads(_pickled(self.name))  # noqa: S301  # pickled here
        return records

    @property
    def is_archive(self) -> bool:
        """Whether it is a ``.keras`` file."""
        return self.content.startswith(b"PK")

    def with_member(self, name: str, change: Callable[[bytes], bytes]) -> Subject:
        """An archive with one member changed; offsets in replies are those of the HDF5 file alone."""
        content = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.content)) as old, zipfile.ZipFile(content, "w") as new:
            for one in old.namelist():
                new.writestr(one, change(old.read(one)) if one == name else old.read(one))
        return replace(self, content=content.getvalue())

    def padded(self, count: int) -> tuple[Subject, int]:
        """The file with more bytes at the end, and where they begin."""
        if not self.is_archive:
            return replace(self, content=self.content + bytes(count)), len(self.content)
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            length = archive.getinfo(WEIGHTS).file_size
        return self.with_member(WEIGHTS, lambda old: old + bytes(count)), length

    def config(self) -> Any:
        """Its configuration, as JSON; None where it has none."""
        if self.is_archive:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                return json.loads(archive.read(CONFIG)) if CONFIG in archive.namelist() else None
        [root, *_] = self.replies["scan", ""]
        found = [text for name, _, text in root["attributes"] if name == "model_config"]
        return json.loads(found[0]) if found else None


def _opened(content: bytes, name: str, answer: Callable[[Json, Sequence[int]], bytes]) -> FileStore:
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, content)
        with mock.patch.object(opening, "Scanner", lambda limits: PreparedScanner(answer, limits)):
            return opening.open_descriptor(descriptor, name)
    finally:
        os.close(descriptor)


def recorded(name: str, content: bytes) -> Subject:
    """A sound file, with what the reading process answers to all that is asked of it."""
    replies: dict[Request, list[Any]] = {}

    def answer(request: Json, descriptors: Sequence[int]) -> bytes:
        *records, end = serve.answer(request, list(descriptors), limits_as_sent())
        assert "end" in end, end
        replies[key_of(request)] = records
        return lines(records) + end_of(records, request)

    with _opened(content, name, answer) as store:
        for ref in store:
            with contextlib.suppress(WeightkitError):  # text is not read
                store.read(ref)
    return Subject(name, content, replies)


@functools.cache
def bases() -> tuple[Subject, ...]:
    """Files of every format and version of Keras, and three that are made here."""
    golden = sorted(path for path in _DATA.iterdir() if path.suffix in {".h5", ".keras"})
    found = [recorded(path.name, path.read_bytes()) for path in golden]
    made = {"adapters.lora.h5": _lora, "state.h5": _state, "chunked.weights.h5": _chunked, "split.h5": _split}
    own = recorded("wrappers.keras", _wrappers())
    return (*found, *(recorded(name, _written(make)) for name, make in made.items()), own)


@functools.cache
def _pickled(name: str) -> bytes:
    """The records of a base, which all that starts from it has."""
    return pickle.dumps(of(name).replies["scan", ""])


def of(name: str) -> Subject:
    """The base of a name."""
    return next(base for base in bases() if base.name == name)


def _written(make: Callable[[h5py.File], None]) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        make(file)
    return content.getvalue()


def _state(file: h5py.File) -> None:
    """An optimizer's state."""
    file.attrs["schema"], file.attrs["keras_version"] = "weightkit.optimizer/1", "3.15.1"
    file.attrs["ordered"] = "true"
    optimizer = file.create_group("optimizer")
    optimizer.attrs["class"], optimizer.attrs["config"] = "Adam", "{}"
    optimizer["iteration"] = np.int64(3)
    for number, name in enumerate(("kernel", "bias")):
        group = file.create_group(f"weights/{number}")
        told = {"structure": f"layers/dense/vars/{number}", "path": f"body/{name}", "layer": "body", "name": name}
        told |= {"kind": "parameter", "layer_class": "Dense", "dtype": "float32", "shape": "2,3", "index": str(number)}
        group.attrs.update(told | {"duplicate": "1"})
        group["momentum"] = np.ones((2, 3), "f4")
        group["momentum"].attrs["kept_by"] = "Adam"


def _chunked(file: h5py.File) -> None:
    """Every way in which values are stored."""
    values = np.arange(60, dtype="f4").reshape(6, 10)
    group = file.create_group("layers/dense/vars")
    group.create_dataset("0", data=values, chunks=(4, 4), compression="gzip", shuffle=True, fletcher32=True)
    group.create_dataset("1", data=values[0], chunks=(4,))
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((10,))
    made = h5py.h5d.create(group.id, b"2", h5py.h5t.IEEE_F32LE, space, dcpl=compact)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ones(10, "f4"))
    file["layers/dense_1/vars/0"] = group["1"]
    file["layers/text/vars/0"] = ["one", "two"]


def _lora(file: h5py.File) -> None:
    """Low-rank adapters, as KerasHub saves them."""
    for number in (3, 7):
        group = file.create_group(f"lora/{number}/vars")
        group["lora_kernel_a"], group["lora_kernel_b"] = np.ones((16, 4), "f4"), np.ones((4, 16), "f4")
    file["lora/vars/rank"] = np.int64(4)


def _split(file: h5py.File) -> None:
    """Lists that are split into numbered parts."""
    file.attrs["layer_names0"], file.attrs["layer_names1"] = ["a"], ["b/c"]
    for name in ("a", "b/c"):
        group = file.create_group(name)
        group.attrs["weight_names0"], group.attrs["weight_names1"] = [f"{name}/kernel:0"], [f"{name}/bias:0"]
        group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = np.ones((3, 4), "f4"), np.ones(4, "f4")


def _wrappers() -> bytes:
    """An archive with weightkit's own layers, of which many wrap another."""
    layers = [json.loads(path.read_text()) for path in sorted((_DATA / "layers").glob("*.json"))]
    for layer in layers:
        layer["config"]["name"] = f"{layer['class_name'].lower()}_{len(layer['config'])}"

    def make(file: h5py.File) -> None:
        for number in range(4):
            group = file.create_group(f"layers/parametrized{f'_{number}' if number else ''}")
            group["vars/0"], group["layer/vars/0"] = np.ones(4, "f4"), np.ones((3, 4), "f4")
            group["layer/vars/1"] = np.ones(4, "f4")

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        model = {"class_name": "Sequential", "module": "keras", "config": {"name": "own", "layers": layers}}
        archive.writestr(METADATA, json.dumps({"keras_version": "3.15.1"}))
        archive.writestr(CONFIG, json.dumps(model))
        archive.writestr(WEIGHTS, _written(make))
    return content.getvalue()


def donors() -> Iterator[Any]:
    """All configurations, to take parts from."""
    yield from (config for base in bases() if (config := base.config()) is not None)

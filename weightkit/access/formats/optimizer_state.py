"""An optimizer's state in a file of its own: named slots of named weights.

Version 1 is plain HDF5, all datasets contiguous, all attributes text::

    /                       schema = "weightkit.optimizer/1", keras_version, backend, ordered = "true" | "false"
    /optimizer              class = "Adam", config = JSON from Keras; empty if Keras cannot serialize it
    /optimizer/iteration    state that is not a weight's: the raw step count, learning_rate (unless a schedule), ...
    /optimizer/inner_optimizer/..., /optimizer/optimizers/0/...     the same for optimizers inside it
    /weights/0              one weight of the model: structure, path, layer, name, layer_class, kind, dtype,
                            shape = "3,4", index, duplicate: its address, as in any store; unknown parts are absent
    /weights/0/momentum     a slot of it, with the attribute kept_by = "Adam": the class of the optimizer
    /weights/0/state        of a seed generator: its state

Every weight of the model is there, frozen ones without slots too, so that weights match like those of any two
stores. The groups of ``/weights`` are in the order of the model. bfloat16 is stored as Keras does: two
opaque bytes, with the attribute ``dtype = "bfloat16"``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.files.output_suffix import LEGACY
from weightkit.access.formats.refs import dtype_of, with_other_names
from weightkit.access.hdf5.contents import Contents
from weightkit.access.names.naming import require_short
from weightkit.access.names.object_tree import place_of
from weightkit.access.ref import Kind, Source, WeightRef
from weightkit.errors import DamagedFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.index import Dataset, Index

FORM, SCHEMA = "optimizer state", "weightkit.optimizer/1"
_FAMILY = SCHEMA.rpartition("/")[0]
_TYPE = re.compile(r"[a-z]+[0-9a-z_]*")
OPTIMIZER, WEIGHTS = "optimizer", "weights"


@dataclass(frozen=True, slots=True)
class Kept:
    """One weight of the model in the file, and its slots."""

    ref: WeightRef
    """Its address in the model."""
    slots: Mapping[str, WeightRef]
    """By name, where their values are in the file."""
    kept_by: Mapping[str, str]
    """By name, the class of the optimizer that kept it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an optimizer's state file says about the whole."""

    optimizer_class: str
    config: str
    """JSON; empty where Keras could not serialize the optimizer."""
    ordered: bool
    """Whether the weights come in the order of the layers."""
    state: Mapping[str, WeightRef | np.ndarray]
    """State that belongs to no weight: by path below ``/optimizer``, where its value is in the file, or the value."""
    weights: tuple[Kept, ...]


def recognizes(file: UnknownFile) -> bool:
    """Whether the file says that it is an optimizer's state."""
    schema = file.index.attributes("").get("schema")
    # Of any version: a newer one is then refused by its version, not as a file of unknown kind.
    return isinstance(schema, str) and schema.rpartition("/")[0] == _FAMILY


def contents(file: UnknownFile) -> Contents:
    """The state in a file, and its manifest.

    Raises:
        UnsupportedFileError: It has another version.
        DamagedFileError: It does not match its schema.
    """
    index = file.index
    root = index.attributes("")
    if root["schema"] != SCHEMA:
        raise UnsupportedFileError(f"its schema must be {SCHEMA}, got {root['schema']}", hint="use a newer weightkit")
    refs = {path: _slot_ref(index, path, dataset) for path, dataset in index.datasets.items()}
    optimizer = index.attributes(OPTIMIZER)
    below = f"{OPTIMIZER}/"
    state = {path.removeprefix(below): ref for path, ref in refs.items() if path.startswith(below)}
    groups = [path for path in index.groups if path.startswith(f"{WEIGHTS}/")]
    slots: dict[str, dict[str, WeightRef]] = {group: {} for group in groups}
    for path, ref in refs.items():
        home, _, name = path.rpartition("/")
        if home in slots:
            slots[home][name] = ref
    weights = tuple(_kept(index, group, slots[group]) for group in sorted(groups, key=_number))
    _require_each_once(weights)
    manifest = Manifest(
        _need(optimizer, "class", OPTIMIZER),
        _need(optimizer, "config", OPTIMIZER),
        root.get("ordered") == "true",
        state,
        weights,
    )
    version = root.get("keras_version")
    return Contents(
        format=FORM,
        keras_version=version if isinstance(version, str) else None,
        weights={ref: index.datasets[path] for path, ref in refs.items()},
        ordered=manifest.ordered,
        config=None,
        layout=StateLayout(index),
        manifest=manifest,
        suffixes=LEGACY,
    )


def _require_each_once(weights: Collection[Kept]) -> None:
    seen: set[str] = set()
    for one in weights:
        if one.ref.structure in seen:
            raise _damaged(WEIGHTS, f"it has the slots of {one.ref.structure} twice")
        seen.add(one.ref.structure)


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Edits of a state file's structure: no lists name its datasets."""

    index: Index

    def stripped(self) -> Changes:
        """There is nothing to strip: it holds only an optimizer's state."""
        return NO_CHANGES

    def without(self, datasets: Collection[Dataset]) -> Changes:
        """Remove only the datasets."""
        return Changes(dropped=with_other_names(self.index, datasets))

    def retyped(self, dataset: Dataset, dtype: np.dtype) -> Changes:
        """bfloat16 is two opaque bytes with an attribute that says so."""
        if dtype == ml_dtypes.bfloat16:
            return Changes(attributes={dataset.path: {"dtype": "bfloat16"}})
        return Changes(attributes={dataset.path: {"dtype": None}}) if dataset.dtype == "|V2" else NO_CHANGES

    def advice(self, changes: Changes) -> tuple[str, ...]:  # noqa: ARG002  # Keras never reads it
        """Keras does not read it."""
        return ()


def _slot_ref(index: Index, path: str, dataset: Dataset) -> WeightRef:
    home, _, name = path.rpartition("/")
    told = index.attributes(home).get("path") if home.startswith(f"{WEIGHTS}/") else home
    return WeightRef(
        structure=path,
        layer=require_short(told) if isinstance(told, str) else home,
        index=0,
        name=name,
        shape=(0,) if dataset.shape is None else dataset.shape,
        dtype=dtype_of(dataset),
        kind=Kind.OPTIMIZER,
        layer_class=None,
        trainable=None,
        known_from=Source.FILE,
    )


def _kept(index: Index, group: str, slots: Mapping[str, WeightRef]) -> Kept:
    texts = {name: dict(_texts(index.datasets[ref.structure])) for name, ref in slots.items()}
    return Kept(_model_ref(index, group), slots, {name: text.get("kept_by", "") for name, text in texts.items()})


def _texts(dataset: Dataset) -> list[tuple[str, str]]:
    return [(one.name, one.text) for one in dataset.attributes if isinstance(one.text, str)]


def _model_ref(index: Index, group: str) -> WeightRef:
    told = index.attributes(group)
    layer, name, layer_class = (_maybe(told.get(key)) for key in ("layer", "name", "layer_class"))
    for one in (layer, name, layer_class):
        require_short(one or "")
    try:
        return WeightRef(
            structure=_need(told, "structure", group),
            layer=layer,
            index=int(_need(told, "index", group)),
            name=name,
            # The empty text is the shape of a scalar.
            shape=tuple(int(axis) for axis in _need(told, "shape", group).split(",") if axis),
            dtype=_dtype(_need(told, "dtype", group)),
            kind=Kind(_need(told, "kind", group)),
            layer_class=layer_class,
            trainable=None,
            known_from=Source.FILE,
            duplicate=int(_need(told, "duplicate", group)),
        )
    except (TypeError, ValueError) as error:
        raise _damaged(group, str(error)) from error


def _dtype(name: str) -> np.dtype:
    if not _TYPE.fullmatch(name):  # np.dtype parses a whole language and raises various errors
        raise ValueError(f"{name[:40]!r} is not a type of numbers")
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def _maybe(text: object) -> str | None:
    return text if isinstance(text, str) else None


def _need(told: Mapping[str, object], name: str, group: str) -> str:
    text = told.get(name)
    if not isinstance(text, str):
        raise _damaged(group, f"its attribute {name} is missing")
    return text


def _number(group: str) -> int:
    place = place_of(group.removeprefix(f"{WEIGHTS}/"))
    if place is None:
        raise _damaged(group, "it is not a number")
    return place


def _damaged(group: str, why: str) -> DamagedFileError:
    return DamagedFileError(f"{group}: {why}", hint="save the optimizer's state again")

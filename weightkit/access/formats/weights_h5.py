"""``.weights.h5`` of Keras 2.12 to 3, and the member of a ``.keras`` archive: variables by object path."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ml_dtypes

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.formats.refs import configured_of, refs_of, stored, with_other_names
from weightkit.access.formats.saved_optimizer import of_objects
from weightkit.access.hdf5.contents import Contents
from weightkit.access.names.layer_list.older_paths import paths_of_today
from weightkit.access.names.objects import name_objects
from weightkit.text import cut, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import numpy as np

    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.ref import WeightRef

_VARIABLES, _OPTIMIZER, _COMPILE = "vars", "optimizer", "compile_config"
WEIGHTS, CONFIG, METADATA = "model.weights.h5", "config.json", "metadata.json"
"""The files of a model, in an archive or in a folder."""
_INCOMPLETE = (
    "Keras' {} will fail; model.load_weights(file, skip_mismatch=True) loads all layers except those that lack "
    "a variable"
)
# At the root of a model's file: the layers in Keras 3, the same in 2.12 and 2.13, the model's own variables.
_ROOTS = {"layers", "_layer_checkpoint_dependencies", _VARIABLES}


def recognizes(file: UnknownFile) -> bool:
    """Whether this is a version-3 file: its groups are objects, whose variables are in ``vars``."""
    index = file.index
    top = {path for path in index.groups if path and "/" not in path}
    variables = [path for path in index.groups if path.rsplit("/", 1)[-1] == _VARIABLES]
    # Objects of a subclassed model are at the root under any name: only the form of their paths tells.
    return bool(variables) and (bool(top & _ROOTS) or any(_is_variable(path) for path in index.datasets))


@dataclass(frozen=True, slots=True)
class ObjectLayout:
    """Edits of a version-3 file's structure: no lists name its variables; the configuration is a member beside it."""

    index: Index
    config: Mapping[str, Any] | None

    def stripped(self) -> Changes:
        """Remove the optimizer's group, and the compile configuration from ``config.json``."""
        members = {}
        if self.config and self.config.get(_COMPILE):
            kept = {key: value for key, value in self.config.items() if key != _COMPILE}
            members[CONFIG] = json.dumps(kept).encode()
        return Changes(dropped=frozenset({_OPTIMIZER} & self.index.groups.keys()), members=members)

    def without(self, datasets: Collection[Dataset]) -> Changes:
        """Remove only the datasets; their groups stay, as Keras keeps groups without variables too."""
        return Changes(dropped=with_other_names(self.index, datasets))

    def retyped(self, dataset: Dataset, dtype: np.dtype) -> Changes:
        """bfloat16 is two opaque bytes with an attribute that says so."""
        if dtype == ml_dtypes.bfloat16:
            return Changes(attributes={dataset.path: {"dtype": "bfloat16"}})
        if dataset.dtype == "|V2":
            # The old attribute would call the new numbers bfloat16.
            return Changes(attributes={dataset.path: {"dtype": None}})
        return NO_CHANGES

    def advice(self, changes: Changes) -> tuple[str, ...]:
        """What Keras 3.15 does: a layer loads all of its variables or none; it ignores other datasets."""
        if any(_is_variable(path) and not path.startswith(f"{_OPTIMIZER}/") for path in changes.dropped):
            return (_INCOMPLETE.format("load_weights(file)" if self.config is None else "load_model"),)
        return ()


def contents(file: UnknownFile) -> Contents:
    """The weights of a version-3 file, by the names that it gives."""
    return contents_with(file.index)


def contents_with(
    index: Index,
    name: str = "Keras weights, version 3",
    suffix: str = ".weights.h5",
    config: Mapping[str, Any] | None = None,
    keras_version: str | None = None,
) -> Contents:
    """The weights of a version-3 file; named by the model's configuration where it is given."""
    namings, ordered, stale = name_objects(stored(index.datasets), _object_names(index), config)
    weights = _with_other_paths(refs_of(namings, index.datasets), index)
    return Contents(
        format=name,
        keras_version=keras_version,
        weights=weights,
        ordered=ordered,
        config=config,
        layout=ObjectLayout(index, config),
        manifest=functools.partial(of_objects, weights, config),
        suffixes=(suffix,),
        configured=configured_of(namings),
        notes=(*_note_on_names(stale),),
    )


def _with_other_paths(weights: dict[WeightRef, Dataset], index: Index) -> dict[WeightRef, Dataset]:
    """The weights, those of Keras 2.12 and 2.13 with the path at which Keras 3 has them."""
    paths = paths_of_today(index.datasets, index.groups)
    if not paths:
        return weights
    return {
        replace(ref, also=(paths[ref.structure],)) if ref.structure in paths else ref: dataset
        for ref, dataset in weights.items()
    }


def _note_on_names(stale: Mapping[str, str]) -> Iterator[str]:
    """One sentence on the layers whose names in the HDF5 are not those of the configuration; none if all agree."""
    if stale:
        names = listed(f"{cut(layer)} ({cut(name)} in the HDF5)" for layer, name in stale.items())
        count = "1 layer has another name" if len(stale) == 1 else f"{len(stale)} layers have other names"
        yield f"{count} in {CONFIG} than in the HDF5, and {CONFIG} is right, as for Keras: {names}"


def _is_variable(path: str) -> bool:
    parts = path.split("/")
    return parts[-2:-1] == [_VARIABLES] and parts[-1].isdecimal()


def _object_names(index: Index) -> dict[str, str]:
    """The names of objects by path; Keras stores them on their ``vars`` groups since 3.6."""
    names = {}
    for path in index.groups:
        parent, _, last = path.rpartition("/")
        name = index.attributes(path).get("name") if last == _VARIABLES else None
        if isinstance(name, str):
            names[parent] = name
    return names

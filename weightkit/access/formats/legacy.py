"""Legacy HDF5 of Keras 1, 2 and 3: a whole model, or its weights alone; names are stored in attribute lists."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ml_dtypes

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.files.output_suffix import LEGACY
from weightkit.access.formats.listed_names import notes_on_lists
from weightkit.access.formats.refs import configured_of, refs_of, stored, with_other_names
from weightkit.access.formats.saved_optimizer import SavedOptimizer, of_lists
from weightkit.access.hdf5.contents import Contents
from weightkit.access.names.legacy.names import LegacyGroup, name_legacy, name_legacy_optimizer
from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np

    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.names.naming import Naming
    from weightkit.access.ref import WeightRef

_MODEL, _OPTIMIZER, _TOP_LEVEL = "model_weights", "optimizer_weights", "top_level_model_weights"
_NAMES, _TRAINING = "weight_names", "training_config"
_MOST_VALUES = 2_000_000  # in a configuration: large models have some ten thousand, vocabularies add their words
_OPAQUE = "Keras cannot load bfloat16 from legacy HDF5, which does not store that type"
_INCOMPLETE = (
    "Keras' {} will fail; model.load_weights(file, by_name=True, skip_mismatch=True) loads all top-level "
    "layers except those that lack a weight (a nested model counts as one layer)"
)


def recognizes(file: UnknownFile) -> bool:
    """Whether this is a legacy file: it lists its layers, or holds a whole model."""
    index = file.index
    return _MODEL in index.groups or _lists_layers(index)


def contents(file: UnknownFile) -> Contents:
    """The weights of a legacy file, named as its lists name them."""
    index = file.index
    whole = not _lists_layers(index)
    prefix = _MODEL if whole else ""
    config = _config(index)
    weights, optimizer, rest = _split(index, whole=whole)
    version = _text(index, prefix, "keras_version") or _text(index, "", "keras_version")
    structures = {path: _structure(index, path, dataset) for path, dataset in weights.items()}
    inside = f"{prefix}/" if prefix else ""
    layers = split_list(index, prefix, "layer_names")
    groups = _groups(index, inside, layers)
    named = name_legacy(groups, stored(weights), config, version)
    namings = [replace(naming, structure=structures[naming.structure]) for naming in named]
    slots = LegacyGroup(_OPTIMIZER, split_list(index, _OPTIMIZER, _NAMES) if whole else ())
    namings += name_legacy_optimizer(slots.weight_names, stored(optimizer))
    namings += _unnamed(rest)
    datasets = {structures[path]: dataset for path, dataset in weights.items()} | optimizer | rest
    refs = refs_of(namings, datasets)
    return Contents(
        format="legacy HDF5 model" if whole else "legacy HDF5 weights",
        keras_version=version,
        weights=refs,
        ordered=True,
        config=config,
        layout=ListLayout(index, prefix),
        suffixes=LEGACY,
        configured=configured_of(namings),
        backend=_text(index, prefix, "backend") or _text(index, "", "backend"),
        manifest=functools.partial(_saved_optimizer, index, slots, refs, groups, structures) if whole else None,
        notes=(*notes_on_lists(index, inside, layers, groups), *notes_on_lists(index, "", (), [slots])),
    )


def _weight_names(groups: Iterable[LegacyGroup], structures: Mapping[str, str]) -> dict[str, str]:
    """What Keras called each weight, by structural address."""
    names = ((f"{group.name}/{name}", name) for group in groups for name in group.weight_names)
    return {structures[path]: name for path, name in names if path in structures}


def _saved_optimizer(
    index: Index,
    slots: LegacyGroup,
    refs: Iterable[WeightRef],
    groups: Iterable[LegacyGroup],
    structures: Mapping[str, str],
) -> SavedOptimizer:
    known = {ref.structure: ref for ref in refs}
    found = {name: known[path] for name in slots.weight_names if (path := f"{_OPTIMIZER}/{name}") in known}
    text = "".join(split_list(index, "", _TRAINING))
    training = parse_config(text) if text else None
    return of_lists((*found.values(),), (*found,), _weight_names(groups, structures), training)


@dataclass(frozen=True, slots=True)
class ListLayout:
    """Edits of a legacy file's structure: what is removed leaves the lists of names too."""

    index: Index
    prefix: str
    """The group of the weights: ``model_weights``, or the root."""

    def stripped(self) -> Changes:
        """Remove the optimizer's group and the training configuration."""
        if not self.prefix:  # weights alone: a group of that name is a layer
            return NO_CHANGES
        gone = {name: None for name in self.index.attributes("") if _is_part(name, _TRAINING)}
        return Changes(
            dropped=frozenset({_OPTIMIZER} & self.index.groups.keys()), attributes={"": gone} if gone else {}
        )

    def without(self, datasets: Collection[Dataset]) -> Changes:
        """Remove names from the lists of their groups; the groups stay, like those of layers without weights."""
        dropped = with_other_names(self.index, datasets)
        attributes = {}
        for group in self.index.groups:
            lists = self._shortened(group, dropped)
            if lists:
                attributes[group] = lists
        return Changes(dropped=dropped, attributes=attributes)

    def retyped(self, dataset: Dataset, dtype: np.dtype) -> Changes:  # noqa: ARG002  # the file stores no types
        """A legacy file stores no types besides the datasets' own."""
        return NO_CHANGES

    def advice(self, changes: Changes) -> tuple[str, ...]:
        """What Keras 3.15 does: it counts the names in the lists, a nested model as one layer."""
        if any(dtype == ml_dtypes.bfloat16 for dtype in changes.types.values()):
            return (_OPAQUE,)
        if any(_lists_weights(names) for group, names in changes.attributes.items() if group != _OPTIMIZER):
            return (_INCOMPLETE.format("load_model" if self.prefix else "load_weights(file)"),)
        return ()

    def _shortened(self, group: str, dropped: frozenset[str]) -> dict[str, list[str] | str | None]:
        """The lists in a group that name a dropped dataset, without those names; a split list stays split."""
        found: dict[str, list[str] | str | None] = {}
        for name, value in self.index.attributes(group).items():
            if not _is_part(name, _NAMES):
                continue
            texts = _as_list(value)
            kept = [text for text in texts if f"{group}/{text}" not in dropped]
            if len(kept) < len(texts):
                found[name] = kept
        return found


def _is_part(name: str, attribute: str) -> bool:
    """Whether an attribute is the list of that name, or a part of it."""
    return name == attribute or (name.startswith(attribute) and name[len(attribute) :].isdecimal())


def _lists_weights(names: Iterable[str]) -> bool:
    return any(_is_part(name, _NAMES) for name in names)


def _lists_layers(index: Index) -> bool:
    """Whether it holds weights alone; a layer may be called ``model_weights``."""
    root = index.attributes("")
    return "layer_names" in root or "layer_names0" in root


def split_list(index: Index, path: str, name: str) -> tuple[str, ...]:
    """A list attribute of a group; one over 64,512 bytes is split into ``name0``, ``name1`` and so on."""
    found = index.attributes(path)
    if name in found:
        return _as_list(found[name])
    parts = itertools.takewhile(found.__contains__, (f"{name}{number}" for number in itertools.count()))
    return tuple(text for part in parts for text in _as_list(found[part]))


def _as_list(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _structure(index: Index, path: str, dataset: Dataset) -> str:
    """The address of a weight: below ``model_weights`` it starts there, unless something else is at that path."""
    return dataset.path if path in index.datasets else path


def _split(index: Index, *, whole: bool) -> tuple[dict[str, Dataset], dict[str, Dataset], dict[str, Dataset]]:
    """Datasets of the layers by their path from the root of the weights, then the optimizer's and others by path."""
    weights: dict[str, Dataset] = {}
    optimizer: dict[str, Dataset] = {}
    rest: dict[str, Dataset] = {}
    for path, dataset in index.datasets.items():
        if path.startswith(f"{_OPTIMIZER}/") and whole:
            optimizer[path] = dataset
        elif path.startswith(f"{_MODEL}/") or not whole:
            weights[path.removeprefix(f"{_MODEL}/") if whole else path] = dataset
        else:
            rest[path] = dataset
    return weights, optimizer, rest


def _groups(index: Index, inside: str, layers: Iterable[str]) -> list[LegacyGroup]:
    """The groups of the layers, each once: a name that is listed again names the same group."""
    names = [*dict.fromkeys(layers)]
    # Keras stores the model's own weights in a group that its list of layers does not mention.
    if f"{inside}{_TOP_LEVEL}" in index.groups and _TOP_LEVEL not in names:
        names.append(_TOP_LEVEL)
    return [LegacyGroup(name, split_list(index, f"{inside}{name}", "weight_names")) for name in names]


def _unnamed(datasets: Mapping[str, Dataset]) -> list[Naming]:
    from weightkit.access.names.naming import Naming  # noqa: PLC0415

    return [Naming(structure, index) for index, structure in enumerate(datasets)]


def _text(index: Index, path: str, name: str) -> str | None:
    value = index.attributes(path).get(name)
    return value if isinstance(value, str) else None


def _config(index: Index) -> Mapping[str, Any] | None:
    text = "".join(split_list(index, "", "model_config"))
    return parse_config(text) if text else None


def parse_config(text: str | bytes) -> Mapping[str, Any] | None:
    """A model's configuration; None where the text is not a JSON object.

    Raises:
        UnsafeFileError: It has more values than any model's; each takes up to a hundred bytes of memory.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    values = sum(map(raw.count, (b",", b"[", b"{")))
    if values > _MOST_VALUES:
        raise UnsafeFileError(
            f"a model's configuration must have at most {_MOST_VALUES} values, got {values}",
            hint="do not trust this file",
        )
    try:
        config = json.loads(text)
    # RecursionError: JSON that is nested too deeply.
    except (ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None

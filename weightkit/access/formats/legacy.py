"""Legacy HDF5 of Keras 1, 2 and 3: a whole model, or its weights alone; names are stored in lists."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weightkit.access.files.filestore import Contents
from weightkit.access.formats.refs import refs_of, stored
from weightkit.access.names.legacy import LegacyGroup, name_legacy, name_legacy_optimizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.files.index import Dataset, Index
    from weightkit.access.names.naming import Naming

_MODEL, _OPTIMIZER, _TOP_LEVEL = "model_weights", "optimizer_weights", "top_level_model_weights"


def recognises(index: Index) -> bool:
    """Whether this is a legacy file: it lists its layers, or holds a whole model."""
    return _MODEL in index.groups or _lists_layers(index)


def contents(index: Index) -> Contents:
    """The weights of a legacy file, named as its lists name them."""
    whole = not _lists_layers(index)
    prefix = _MODEL if whole else ""
    config = _config(index)
    weights, optimizer, rest = _split(index, whole=whole)
    version = _text(index, prefix, "keras_version") or _text(index, "", "keras_version")
    structures = {path: _structure(index, path, dataset) for path, dataset in weights.items()}
    named = name_legacy(_groups(index, prefix), stored(weights), config, version)
    namings = [replace(naming, structure=structures[naming.structure]) for naming in named]
    namings += name_legacy_optimizer(split_list(index, _OPTIMIZER, "weight_names"), stored(optimizer))
    namings += _unnamed(rest)
    datasets = {structures[path]: dataset for path, dataset in weights.items()} | optimizer | rest
    return Contents(
        format="legacy HDF5 model" if whole else "legacy HDF5 weights",
        keras_version=version,
        weights=refs_of(namings, datasets),
        ordered=True,
        config=config,
    )


def _lists_layers(index: Index) -> bool:
    """Whether it holds weights alone; one of the layers may well be called ``model_weights``."""
    root = index.attributes("")
    return "layer_names" in root or "layer_names0" in root


def split_list(index: Index, path: str, name: str) -> tuple[str, ...]:
    """A list attribute of a group; one over 64,512 bytes is split into ``name0``, ``name1`` and so on."""
    found = index.attributes(path)
    if name in found:
        return _as_list(found[name])
    parts: list[str] = []
    while (part := found.get(f"{name}{len(parts)}")) is not None:
        parts.append(part)  # type: ignore[arg-type]
    return tuple(text for part in parts for text in _as_list(part))


def _as_list(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _structure(index: Index, path: str, dataset: Dataset) -> str:
    """The address of a weight: below ``model_weights`` it begins there, unless something else lies at that path."""
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


def _groups(index: Index, prefix: str) -> list[LegacyGroup]:
    names = split_list(index, prefix, "layer_names")
    inside = f"{prefix}/" if prefix else ""
    if f"{inside}{_TOP_LEVEL}" in index.groups and _TOP_LEVEL not in names:
        names = (*names, _TOP_LEVEL)
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
    """A model's configuration; None where the text is no JSON object."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None

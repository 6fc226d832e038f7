"""``.lora.h5`` of KerasHub (``backbone.save_lora_weights``): the low-rank factors of layers by their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.formats.refs import refs_of
from weightkit.access.formats.weights_h5 import ObjectLayout
from weightkit.access.hdf5.contents import Contents
from weightkit.access.names.naming import Naming
from weightkit.access.names.object_tree import place_of
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from weightkit.access.formats.unknown_file import UnknownFile

_ROOT, _VARIABLES = "lora", "vars"


def recognizes(file: UnknownFile) -> bool:
    """Whether the file holds factors and nothing else, each under the name that KerasHub gives it."""
    datasets = file.index.datasets
    inside = all(path.startswith(f"{_ROOT}/") for path in datasets)
    return inside and any(_name(path).startswith("lora_") for path in datasets)


def contents(file: UnknownFile) -> Contents:
    """The factors, by the numbers of their layers; the file names no layer."""
    datasets = file.index.datasets
    paths = sorted(datasets, key=_place)
    layers = [path.removesuffix(f"/{_VARIABLES}/{_name(path)}") for path in paths]
    first = {layer: number for number, layer in reversed([*enumerate(layers)])}
    namings = [
        Naming(
            path,
            index=number - first[layer],
            layer=layer,
            name=_name(path),
            kind=Kind.PARAMETER if _name(path).startswith("lora_") else Kind.STATE,
            known_from=Source.FILE,
        )
        for number, (path, layer) in enumerate(zip(paths, layers, strict=True))
    ]
    return Contents(
        format="KerasHub LoRA weights",
        keras_version=None,
        weights=refs_of(namings, datasets),
        ordered=True,
        config=None,
        layout=ObjectLayout(file.index, None),
        suffixes=(".lora.h5",),
    )


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _place(path: str) -> tuple[tuple[int, int | str], ...]:
    """For the order of the layers: numbers by their value, before names."""
    places = ((place_of(part), part) for part in path.split("/"))
    return tuple((1, part) if place is None else (0, place) for place, part in places)

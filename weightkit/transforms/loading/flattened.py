"""A Dense layer after a Flatten: its rows are in the order in which the feature map was flattened.

With images of channels first the map (channels, rows, columns) is flattened in that order, else as (rows, columns,
channels). A Flatten whose own data_format is channels_first flattens in the latter order too (Keras 2.2 and later).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weightkit.transforms.loading.conversion import Conversion

DataFormat = Literal["channels_first", "channels_last"]
"""Where a model's images have their channels; Keras 1 calls them ``th`` and ``tf``."""

_PASSES = frozenset({"Activation", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "LeakyReLU", "ReLU"})
"""Layers that may stand between Flatten and Dense: they have no weights and keep the order."""
_FORMATS: Mapping[object, DataFormat] = {
    "th": "channels_first",
    "tf": "channels_last",
    "channels_first": "channels_first",
    "channels_last": "channels_last",
}


@dataclass(frozen=True, slots=True)
class FlattenedMap:
    """The feature map right before a Flatten."""

    order: DataFormat | None
    """In which order it is flattened; None where nothing says."""
    shape: tuple[int, ...] | None = None
    """(rows, columns, channels), whatever the order is; None where nothing says."""


def image_format(config: Mapping[str, Any]) -> DataFormat | None:
    """The format of images that a layer's configuration says; None where it says none."""
    said = config.get("data_format", config.get("dim_ordering"))
    return _FORMATS.get(said) if isinstance(said, str) else None


def rows_permuted(kernel: Conversion, shape: Sequence[int], order: DataFormat) -> Conversion:
    """The kernel of a Dense with its rows in the order of a map that is flattened the other way.

    Args:
        kernel: Of shape (rows * columns * channels, units).
        shape: Of the feature map: (rows, columns, channels).
        order: Which order of the rows is to be made.

    Raises:
        RequestError: The kernel has another number of rows.
    """
    rows, units = kernel.shape
    if math.prod(shape) != rows:
        size = " * ".join(map(str, shape))
        raise RequestError(f"a kernel after a feature map of {size} must have {math.prod(shape)} rows, got {rows}")
    *spatial, channels = shape
    before = (channels, *spatial, units) if order == "channels_last" else (*spatial, channels, units)

    def permute(values: np.ndarray) -> np.ndarray:
        start, end = (0, len(spatial)) if order == "channels_last" else (len(spatial), 0)
        return np.moveaxis(values.reshape(before), start, end).reshape(rows, units)

    return kernel.then(f"rows put in the order of {order}", kernel.shape, permute)


def flattened_map(config: Mapping[str, Any] | None, name: str) -> FlattenedMap | None:
    """The feature map that a model flattens right before a layer.

    Args:
        config: The configuration of a Sequential or Functional model.
        name: The layer's name, at the top of the model.

    Returns:
        None where the layer does not follow a Flatten, or the configuration does not say what it follows. Keras 3
        alone stores the shape.
    """
    layers = _layers(config)
    before = _chain(layers, name)
    at = next((place for place, one in enumerate(before) if one.get("class_name") not in _PASSES), None)
    if at is None or before[at].get("class_name") != "Flatten":
        return None
    flatten = before[at]
    images = _images(before[at + 1 :])
    reordered = _config(flatten).get("data_format") == "channels_first"
    shape = _shape(flatten, images)
    return FlattenedMap("channels_last" if reordered else images, shape)


def _layers(config: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    inner = (config or {}).get("config")
    listed = inner.get("layers") if isinstance(inner, dict) else inner  # Keras 1 and 2.0: a Sequential's is a list
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _chain(layers: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """The layers before one, the nearest first, as long as each has one input."""
    names = [_name(one) for one in layers]
    if name not in names:
        return []
    if not any("inbound_nodes" in one for one in layers):
        return [*reversed(layers[: names.index(name)])]
    by_name = dict(zip(names, layers, strict=True))
    found: list[Mapping[str, Any]] = []
    while (inputs := _inputs(by_name[name])) and len(inputs) == 1 and len(found) < len(layers):
        name = inputs[0]
        if name not in by_name:
            break
        found.append(by_name[name])
    return found


def _inputs(layer: Mapping[str, Any]) -> list[str]:
    """The names of the layers whose outputs a layer takes."""
    found: list[str] = []
    waiting: list[Any] = [layer.get("inbound_nodes")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list) and one and isinstance(one[0], str):
            found.append(one[0])  # Keras 1 and 2: ["conv", 0, 0, {}]
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            history = one.get("keras_history")
            waiting.extend([history] if isinstance(history, list) else one.values())
    return [*dict.fromkeys(found)]


def _images(before: Sequence[Mapping[str, Any]]) -> DataFormat | None:
    """The format of the images of the nearest layer that says it."""
    return next(filter(None, (image_format(_config(one)) for one in before)), None)


def _shape(flatten: Mapping[str, Any], images: DataFormat | None) -> tuple[int, ...] | None:
    built = flatten.get("build_config")
    given = built.get("input_shape") if isinstance(built, dict) else None
    if images is None or not isinstance(given, list) or not all(isinstance(size, int) for size in given[1:]):
        return None
    sizes = tuple(given[1:])
    return sizes if images == "channels_last" else (*sizes[1:], *sizes[:1])


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    config = layer.get("config")
    return config if isinstance(config, dict) else {}


def _name(layer: Mapping[str, Any]) -> str:
    return str(_config(layer).get("name", layer.get("name", "")))

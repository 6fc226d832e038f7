"""Where Keras 3 looks for the layers that Keras 2.12 and 2.13 list under another attribute.

The second Dense is ``_layer_checkpoint_dependencies/dense_1`` in Keras 2.12, ``dense_2`` there in 2.13, which counts a
layer with weights twice, and ``layers/dense_1`` in Keras 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.names.automatic_names import numbered_name
from weightkit.access.names.layer_list.places import KERAS_2_LIST

if TYPE_CHECKING:
    from collections.abc import Iterable

_TODAY = "layers"


def paths_of_today(datasets: Iterable[str], groups: Iterable[str]) -> dict[str, str]:
    """The paths in Keras 3 of the datasets that have an older one.

    Args:
        datasets: Paths of weights in a version-3 file.
        groups: The paths of all its groups, those of layers without weights too.
    """
    keys = _keys_of_today(groups)
    return {path: _path(path, keys) for path in datasets if KERAS_2_LIST in path.split("/")} if keys else {}


def _keys_of_today(groups: Iterable[str]) -> dict[str, str]:
    """Keys of layers by their old path: by the place of their number among those of their class."""
    numbers: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for path in groups:
        around, _, key = path.rpartition("/")
        if around.rpartition("/")[2] == KERAS_2_LIST:
            base, number = numbered_name(key)
            numbers.setdefault((around, base), []).append((number, path))
    return {
        path: f"{base}_{place}" if place else base
        for (_, base), found in numbers.items()
        for place, (_, path) in enumerate(sorted(found))
    }


def _path(path: str, keys: dict[str, str]) -> str:
    steps = path.split("/")
    ways = ("/".join(steps[:end]) for end in range(1, len(steps) + 1))
    return "/".join(
        _TODAY if step == KERAS_2_LIST else keys.get(way, step) for step, way in zip(steps, ways, strict=True)
    )

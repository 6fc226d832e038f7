"""Keys in a list of layers: ``dense_1`` is the second Dense, whatever the layer's name."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from weightkit.access.names.class_table import canonical, table
from weightkit.access.names.object_tree import place_of

if TYPE_CHECKING:
    from weightkit.access.names.serialized_layer import Serialized


def class_of_key(key: str) -> str | None:
    """The built-in class of ``dense_1``, a key in a list of layers; None if no class has it."""
    by_key = _class_by_key()
    return by_key.get(key) or by_key.get(key_base(key))


def key_base(key: str) -> str:
    """``dense_1`` without its number."""
    base, separator, number = key.rpartition("_")
    return base if separator and place_of(number) is not None else key


@functools.lru_cache(maxsize=1024)
def keys_of_class(class_name: str) -> tuple[str, ...]:
    """The key of a class in a list of layers: Keras 3's form, then Keras 2's if it differs."""
    name = canonical(class_name)
    # Keras 2 has conv_lst_m2d for ConvLSTM2D
    return tuple(dict.fromkeys((snake_case(name), _snake_case(name, r"(.)([A-Z][a-z0-9]+)"))))


@functools.lru_cache(maxsize=1024)
def snake_case(class_name: str) -> str:
    """``batch_normalization`` for ``BatchNormalization``, as Keras 3 makes keys from classes."""
    return _snake_case(class_name, r"(.)([A-Z][a-z]+)")


def _snake_case(class_name: str, word: str) -> str:
    name = re.sub(word, r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def keyed(layers: list[Serialized]) -> dict[str, Serialized]:
    """Layers of a list by the key that Keras stores each under: its class's, numbered from the second on."""
    used: dict[str, int] = {}
    found: dict[str, Serialized] = {}
    clashing = set()
    for layer in layers:
        for key in keys_of_class(layer.class_name):
            count = used.get(key, 0)
            used[key] = count + 1
            numbered = f"{key}_{count}" if count else key
            # A class named Dense_1 takes the key of a second Dense.
            clashing |= {numbered} & found.keys()
            found[numbered] = layer
    return {key: layer for key, layer in found.items() if key not in clashing}


@functools.cache
def _class_by_key() -> dict[str, str]:
    return {key: name for name in table().classes for key in keys_of_class(name)}

"""Names made by Keras, not the user: ``dense_7`` only says how many layers came before it in the process."""

from __future__ import annotations

import functools

from weightkit.access.names.class_table import table
from weightkit.access.names.keys import key_base, keys_of_class

# A Functional model is named `model_1` by Keras 2 and `functional_1` by Keras 3.
_MODELS = {"model": "model", "functional": "model", "sequential": "sequential"}
_DIRECTIONS = ("forward_", "backward_")


def automatic(name: str, layer_class: str | None = None) -> tuple[str, int] | None:
    """An automatic name's class part and number; None for a user-given name.

    Args:
        name: One layer's name: ``dense_7``, ``lstm_1``, ``encoder``.
        layer_class: Its class, where that is known; a class that is not Keras' own has automatic names too.

    Example:
        >>> automatic("dense_7"), automatic("batch_normalization"), automatic("encoder_7")
        (('dense', 7), ('batch_normalization', 0), None)
        >>> automatic("my_block_2", "MyBlock")
        ('my_block', 2)
    """
    base, number = numbered_name(name)
    prefix = next((prefix for prefix in _DIRECTIONS if base.startswith(prefix)), "")
    bare = base.removeprefix(prefix)
    if bare in _MODELS:
        return prefix + _MODELS[bare], number
    if bare in _known() or (layer_class is not None and bare in _of(layer_class)):
        return base, number
    return None


def numbered_name(name: str) -> tuple[str, int]:
    """A name without the number at its end, and that number; 0 where it has none.

    Example:
        >>> numbered_name("block_3"), numbered_name("block")
        (('block', 3), ('block', 0))
    """
    base = key_base(name)
    return (base, int(name[len(base) + 1 :] or 0)) if base else (name, 0)


def numbered_variable(name: str) -> int | None:
    """The number of a weight that was given no name: ``variable_4``; None for any other name.

    Keras counts these in the whole process.
    """
    base, number = numbered_name(name)
    return number if base in {"variable", "Variable"} else None


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(key for name in table().classes for key in _of(name))


@functools.cache
def _of(layer_class: str) -> frozenset[str]:
    """The automatic names of a class: as Keras 3 and 2 make them, and as Keras 1 does, in lower case."""
    return frozenset((*keys_of_class(layer_class), layer_class.lower()))

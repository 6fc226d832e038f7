"""Names made by Keras, not the user: ``dense_7`` only says how many layers came before it in the process."""

from __future__ import annotations

import functools

from weightkit.access.names.class_table import table
from weightkit.access.names.keys import key_base, keys_of_class

# A Functional model is named `model_1` by Keras 2 and `functional_1` by Keras 3.
_MODELS = {"model": "model", "functional": "model", "sequential": "sequential"}
_FORMER = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
}
"""Classes that Keras 3 has under another name, or as a case of another class."""
_BASES = ("Layer", "Wrapper")
"""Classes to derive from: no layer of a model is plainly one, and `layer_3` is a user's name."""
DIRECTIONS = ("forward_", "backward_")
"""How the names of the two layers in a Bidirectional begin."""


def automatic(name: str, layer_class: str | None = None) -> tuple[str, int] | None:
    """An automatic name's class part, as Keras 3 writes it, and number; None for a user-given name.

    Args:
        name: One layer's name: ``dense_7``, ``lstm_1``, ``encoder``.
        layer_class: Its class, where that is known; a class that is not Keras' own has automatic names too.

    Example:
        >>> automatic("dense_7"), automatic("batch_normalization"), automatic("encoder_7")
        (('dense', 7), ('batch_normalization', 0), None)
        >>> automatic("my_block_2", "MyBlock"), automatic("convolution2d_1")
        (('my_block', 2), ('conv2d', 1))
    """
    base, number = numbered_name(name)
    prefix = next((prefix for prefix in DIRECTIONS if base.startswith(prefix)), "")
    bare = base.removeprefix(prefix)
    if bare in _MODELS:
        return prefix + _MODELS[bare], number
    known = _known().get(bare)
    if known is None and layer_class is not None and bare in _of(layer_class):
        known = keys_of_class(layer_class)[0]
    return None if known is None else (prefix + known, number)


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
def _known() -> dict[str, str]:
    """The class part of automatic names, of all versions of Keras, to that of Keras 3."""
    today = {**{name: name for name in table().classes}, **table().aliases, **_FORMER}
    return {key: keys_of_class(now)[0] for name, now in today.items() if now not in _BASES for key in _of(name)}


@functools.cache
def _of(layer_class: str) -> frozenset[str]:
    """The automatic names of a class: as Keras 3 and 2 make them, and as Keras 1 does, in lower case."""
    return frozenset((*keys_of_class(layer_class), layer_class.lower()))

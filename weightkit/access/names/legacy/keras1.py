"""How Keras 1 named weights: ``lstm_1_W_i``, the layer's name and the weight's in one word.

Keras 1 had no scopes. The table holds every name its 1.2.2 source gives a weight.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_GATES = ("i", "f", "c", "o", "z", "r", "h")  # LSTM and ConvLSTM2D: i f c o; GRU: z r h
_PARAMETERS = (
    "W",
    "U",
    "b",
    *(f"{weight}_{gate}" for weight in "WUb" for gate in _GATES),
    "W_carry",  # Highway
    "b_carry",
    "gamma",
    "beta",
    "alphas",  # PReLU and ParametricSoftplus
    "betas",
    "t_left",  # SReLU
    "a_left",
    "t_right",
    "a_right",
    "depthwise_kernel",  # SeparableConvolution2D
    "pointwise_kernel",
)
_STATISTICS = ("running_mean", "running_std")  # running_std holds a variance, whatever its name says

KINDS: Mapping[str, Kind] = MappingProxyType(
    dict.fromkeys(_PARAMETERS, Kind.PARAMETER) | dict.fromkeys(_STATISTICS, Kind.STATISTIC)
)
"""Kind of each weight name of Keras 1."""

# A layer loaded twice into one TensorFlow graph: `block1_conv1_W_1`, as in the published VGG16 file.
_COPY = re.compile(r"_\d+$")


def split_word(word: str, group: str, *, alone: bool) -> tuple[str, str] | None:
    """Split a weight name of Keras 1 into the layer's name and its own.

    Args:
        word: ``forward_lstm_1_W_i``, without the ``:0`` of TensorFlow.
        group: Name of its group.
        alone: Whether the group is known to be one layer with none inside, so that every weight is its own.

    Returns:
        ``("forward_lstm_1", "W_i")``; None if it does not look like a name of Keras 1.
    """
    own = word.removeprefix(f"{group}_")
    if not own or own == word:
        return _last_name(word)
    for name in (own, _COPY.sub("", own)):
        if name in KINDS:
            return group, name
    # "encoder_conv_W" in the group "encoder" is the W of a layer in it, "attention_1_score" a user's own weight.
    return (None if alone else _last_name(word)) or (group, own)


def _last_name(word: str) -> tuple[str, str] | None:
    """Find the longest weight name of Keras 1 at the end of the word, and what precedes it."""
    stem = _COPY.sub("", word)
    for candidate in (word, stem):
        parts = candidate.rsplit("_", 2)
        for count in (2, 1):
            name = "_".join(parts[-count:])
            if name in KINDS and len(candidate) > len(name) + 1:
                return candidate[: -len(name) - 1], name
    return None

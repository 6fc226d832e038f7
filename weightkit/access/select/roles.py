"""A weight's role in its layer's computation, from its name and its layer's class."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef


class Role(enum.StrEnum):
    """What a trained weight does in its layer."""

    KERNEL = "kernel"
    """Multiplies inputs: kernels of dense, convolutional and recurrent layers (there: of the inputs)."""
    BIAS = "bias"
    """Is added to the output."""
    NORM = "norm"
    """Gain or offset of a normalization: gamma, beta, RMSNormalization's scale."""
    EMBEDDING = "embedding"
    """A table of vectors."""
    RECURRENT = "recurrent"
    """Multiplies the state of a recurrent layer."""
    LORA = "lora"
    """A factor of a low-rank update."""


# Keras 1 wrote ``convolution2d_1_W``, ``lstm_1_U_i``, ``highway_1_b_carry``.
_KERAS_1 = re.compile(r"(?:^|_)(W|U|b)(?:_(?:i|f|c|o|z|r|h|carry))?$")
_KERAS_1_ROLES = {"W": Role.KERNEL, "U": Role.RECURRENT, "b": Role.BIAS}

# In this order: `recurrent_kernel` ends in `kernel` too.
_BY_ENDING = (
    ("recurrent_kernel", Role.RECURRENT),
    ("kernel", Role.KERNEL),
    ("bias", Role.BIAS),
    ("embeddings", Role.EMBEDDING),
)

_NORM_NAME = re.compile(r"(?:^|_)(?:gamma|beta)$")
_NORM_CLASS = re.compile(r"norm|BN$", re.IGNORECASE)

# A slot or a statistic may have the name of its weight, but has no role of its own.
_WITHOUT_ROLE = frozenset({Kind.OPTIMIZER, Kind.STATISTIC, Kind.STATE})


def role_of(ref: WeightRef) -> Role | None:
    """The weight's role; None where it has none of these, or its name is not known."""
    if ref.name is None or ref.kind in _WITHOUT_ROLE:
        return None
    name = ref.name.rpartition("/")[2].partition(":")[0]  # scopes and TensorFlow's `:0` may be around it
    if name.startswith("lora_"):
        return Role.LORA
    if _is_norm(name, ref.layer_class):
        return Role.NORM
    return _by_ending(name) or _by_keras_1_name(name, ref.layer_class)


def _is_norm(name: str, layer_class: str | None) -> bool:
    if layer_class is None:
        return _NORM_NAME.search(name) is not None
    is_gain = name == "scale" or _NORM_NAME.search(name) is not None
    return is_gain and _NORM_CLASS.search(layer_class) is not None


def _by_ending(name: str) -> Role | None:
    for ending, role in _BY_ENDING:
        if name == ending or name.endswith(f"_{ending}"):
            return role
    return None


def _by_keras_1_name(name: str, layer_class: str | None) -> Role | None:
    match = _KERAS_1.search(name)
    if match is None:
        return None
    if layer_class == "Embedding" or name.startswith("embedding_"):
        return Role.EMBEDDING
    return _KERAS_1_ROLES[match[1]]

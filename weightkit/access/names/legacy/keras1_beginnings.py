"""What the configuration of a Keras 1 layer says about the initializers of its weights, by the rules of Keras 1.2.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.names.legacy import keras1
from weightkit.access.names.legacy.keras1_axes import ORDERED, channels_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.configured import Configured


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a weight of Keras 1 begins."""

    spec: Any
    forget: Any
    """The initializer of the forget gate in a joined bias; None for other weights."""
    channels_first: bool | None
    """Whether the initializer takes the first axis as that of the outputs; None where nothing says."""


_KEYS: Mapping[str, tuple[str | None, str]] = {
    **dict.fromkeys(("U", *(f"U_{gate}" for gate in "ifcozrh")), ("inner_init", "orthogonal")),
    "running_mean": (None, "zero"),
    "running_std": (None, "one"),  # a variance, whatever its name says
    "b_carry": (None, "one"),  # of Highway
    "gamma": ("gamma_init", "one"),
    "beta": ("beta_init", "zero"),
    "t_left": ("t_left_init", "zero"),
    "a_left": ("a_left_init", "glorot_uniform"),
    "t_right": ("t_right_init", "glorot_uniform"),
    "a_right": ("a_right_init", "one"),
}
_KEYS_OF_CLASSES: Mapping[tuple[str, str], tuple[str, Any]] = {
    ("ConvLSTM2D", "b_f"): ("forget_bias_init", "one"),
    ("Embedding", "W"): ("init", "uniform"),
    ("LSTM", "b_f"): ("forget_bias_init", "one"),
    ("PReLU", "alphas"): ("init", "zero"),
    ("ParametricSoftplus", "alphas"): ("alpha_init", 0.2),
    ("ParametricSoftplus", "betas"): ("beta_init", 5.0),
}
_ORDERED = ORDERED - {"ConvLSTM2D"} | {"LocallyConnected2D"}
"""Classes that pass dim_ordering to their initializer; for others, the first axis is the output axis."""
_CLASSES = _ORDERED | {
    "AtrousConvolution1D",
    "BatchNormalization",
    "ConvLSTM2D",
    "Convolution1D",
    "Dense",
    "Embedding",
    "GRU",
    "Highway",
    "LSTM",
    "LocallyConnected1D",
    "MaxoutDense",
    "PReLU",
    "ParametricSoftplus",
    "SReLU",
    "SimpleRNN",
    "TimeDistributedDense",
}


def beginning(configured: Configured, name: str) -> Beginning | None:
    """How a weight of this name begins; None where it is not one of Keras 1's."""
    known, config = configured.layer_class, configured.config
    if name not in keras1.KINDS or known not in _CLASSES:
        return None
    key, default = _key(known, name)
    spec = config.get(key, default) if key else default
    if isinstance(spec, int | float):
        spec = {"class_name": "Constant", "config": {"value": spec}}
    forget = config.get("forget_bias_init", "one") if (known, name) == ("LSTM", "b") else None
    return Beginning(spec, forget, channels_first(config) if known in _ORDERED else True)


def _key(known: str, name: str) -> tuple[str | None, Any]:
    """The configuration's key for a weight's initializer, and the default; biases have no key."""
    given = _KEYS_OF_CLASSES.get((known, name)) or _KEYS.get(name)
    return given or ((None, "zero") if name.startswith("b") else ("init", "glorot_uniform"))

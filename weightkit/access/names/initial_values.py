"""A weight's initializer: from its layer's configuration, else from the defaults of its class.

The rules come from Keras: those of Keras 3's classes are in the table generated from it, those of classes that only
Keras 2 or Keras 1 had are here. A Keras 2 configuration is read by the rules of Keras 3, so that a file and the model
loaded from it agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.names.class_table import canonical
from weightkit.access.names.class_weights import find
from weightkit.access.names.kernel_axes import Axes, einsum_axes
from weightkit.access.names.legacy import keras1, keras1_axes, kinds
from weightkit.access.names.legacy.config_tree import without_number
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef

_Rule = tuple[str | None, str, str | None]

_LEGACY_RULES: Mapping[str, _Rule] = {
    "kernel": ("kernel_initializer", "glorot_uniform", None),
    "recurrent_kernel": ("recurrent_initializer", "orthogonal", None),
    "bias": ("bias_initializer", "zeros", None),
    "depthwise_kernel": ("depthwise_initializer", "glorot_uniform", None),
    "pointwise_kernel": ("pointwise_initializer", "glorot_uniform", None),
    "gamma": ("gamma_initializer", "ones", None),
    "beta": ("beta_initializer", "zeros", None),
    "moving_mean": ("moving_mean_initializer", "zeros", None),
    "moving_variance": ("moving_variance_initializer", "ones", None),
    # Defaults of Keras' `enable_lora`: no configuration stores its initializers.
    "lora_kernel_a": (None, "he_uniform", None),
    "lora_kernel_b": (None, "zeros", None),
    "lora_embeddings_a": (None, "he_uniform", None),
    "lora_embeddings_b": (None, "zeros", None),
}
_LEGACY_CLASSES = frozenset(
    {
        "BatchNormalizationV1",
        "BatchNormalizationV2",
        "CuDNNGRU",
        "CuDNNLSTM",
        "LocallyConnected1D",
        "LocallyConnected2D",
        "SyncBatchNormalization",
    }
)
"""Classes of Keras 2 that Keras 3 no longer has; other classes' weights may have had other names."""

_FORGET_PARTS = {"CuDNNLSTM": (5, 8)}  # two biases in one array; the second one's forget gate is open
_FORGET_PART = (1, 4)  # part and parts: the gates are input, forget, cell, output


@dataclass(frozen=True, slots=True)
class Forget:
    """One of several equal parts of a bias has another initializer than the rest."""

    spec: Any
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Initial:
    """What a configuration says about a weight's initializer, as written there."""

    spec: Any
    """A name, or ``{"class_name", "config"}``."""
    forget: Forget | None = None
    axes: Axes | None = None
    """Axes of the input units and of the output units, if Keras passes them to its initializer."""
    keras_1: bool = False
    channels_first: bool | None = True
    """Whether Keras 1 treats the kernel's first axis as its output units; None where its configuration does not say."""


def initial_of(configured: Configured, name: str, layer: str | None = None) -> Initial | None:
    """The initializer of a weight of this name.

    Args:
        configured: The class and configuration of its layer.
        name: Its own name: ``recurrent_kernel``, ``W_i``.
        layer: The names of the layers around it; the last one says which attention projection it is.

    Returns:
        What the configuration says, or the class's default where it says nothing; None where neither is known.
    """
    if not configured.builtin:
        return None
    if configured.keras_1:
        return _of_keras1(configured, name)
    rule = _rule(configured.layer_class, name) or _rule(configured.layer_class, without_number(name))
    if rule is None:
        return None
    key, default, flag = rule
    spec = configured.config.get(key, default) if key else default
    forget = None
    # Keras opens the forget gate by default.
    if flag is not None and configured.config.get(flag, True):
        forget = Forget("ones", *_FORGET_PARTS.get(configured.layer_class, _FORGET_PART))
    # Keras' default for an initializer of None.
    return Initial("glorot_uniform" if spec is None else spec, forget, einsum_axes(configured, name, layer))


def require_initial(configured: Configured | None, ref: WeightRef) -> Initial:
    """How a weight began.

    Raises:
        RequestError: There is no configuration of its layer, or it does not tell.
    """
    if configured is None:
        raise RequestError("there is no configuration of its layer")
    initial = None if ref.name is None else initial_of(configured, ref.name, ref.layer)
    if initial is not None:
        return initial
    whose = f"its layer is a {configured.layer_class}"
    why = "which has none for it" if configured.builtin else "which is not a Keras layer"
    raise RequestError(f"{whose}, {why}")


def _rule(layer_class: str, name: str) -> _Rule | None:
    """The rule of a class for a weight; a recurrent layer's weights are its cell's."""
    for one in (layer_class, kinds.CELLS.get(canonical(layer_class), "")):
        known = find(one)
        if known is not None and name in known.initial:
            return known.initial[name]
    listed = layer_class in _LEGACY_CLASSES
    if listed or (find(layer_class) is not None and name.startswith(("depthwise_", "pointwise_", "lora_"))):
        rule = _LEGACY_RULES.get(name)
        return (*rule[:2], "unit_forget_bias") if rule and (layer_class, name) == ("CuDNNLSTM", "bias") else rule
    return None


# Keras 1 ---------------------------------------------------------------------------------------------------------

_KEYS_IN_KERAS1: Mapping[str, tuple[str | None, str]] = {
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
_KEYS_OF_CLASSES_IN_KERAS1: Mapping[tuple[str, str], tuple[str, Any]] = {
    ("ConvLSTM2D", "b_f"): ("forget_bias_init", "one"),
    ("Embedding", "W"): ("init", "uniform"),
    ("LSTM", "b_f"): ("forget_bias_init", "one"),
    ("PReLU", "alphas"): ("init", "zero"),
    ("ParametricSoftplus", "alphas"): ("alpha_init", 0.2),
    ("ParametricSoftplus", "betas"): ("beta_init", 5.0),
}
_ORDERED_IN_KERAS1 = keras1_axes.ORDERED - {"ConvLSTM2D"} | {"LocallyConnected2D"}
"""Classes that pass dim_ordering to their initializer; for others, the first axis is the output axis."""
_CLASSES_IN_KERAS1 = _ORDERED_IN_KERAS1 | {
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


def _of_keras1(configured: Configured, name: str) -> Initial | None:
    """By the rules of Keras 1.2.2."""
    known, config = configured.layer_class, configured.config
    if name not in keras1.KINDS or known not in _CLASSES_IN_KERAS1:
        return None
    key, default = _key_in_keras1(known, name)
    spec = config.get(key, default) if key else default
    if isinstance(spec, int | float):
        spec = {"class_name": "Constant", "config": {"value": spec}}
    forget = Forget(config.get("forget_bias_init", "one"), *_FORGET_PART) if (known, name) == ("LSTM", "b") else None
    first = keras1_axes.channels_first(config) if known in _ORDERED_IN_KERAS1 else True
    return Initial(spec, forget, keras_1=True, channels_first=first)


def _key_in_keras1(known: str, name: str) -> tuple[str | None, Any]:
    """The configuration's key for a weight's initializer, and the default; biases have no key."""
    given = _KEYS_OF_CLASSES_IN_KERAS1.get((known, name)) or _KEYS_IN_KERAS1.get(name)
    return given or ((None, "zero") if name.startswith("b") else ("init", "glorot_uniform"))

"""A weight's initializer: from its layer's configuration, else from the defaults of its class.

The rules come from Keras: those of Keras 3's classes are in the table generated from it, those of classes that only
Keras 2 or Keras 1 had are here. A Keras 2 configuration is read by the rules of Keras 3, so that a file and the model
loaded from it agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.names import weightkit_layers, wrapper
from weightkit.access.names.class_table import canonical
from weightkit.access.names.class_weights import find
from weightkit.access.names.kernel_axes import Axes, einsum_axes
from weightkit.access.names.legacy import keras1_beginnings, kinds
from weightkit.access.names.legacy.config_tree import without_number
from weightkit.access.names.weightkit_layers import is_own
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


def initial_of(
    configured: Configured, name: str, layer: str | None = None, inputs: int | None = None
) -> Initial | None:
    """The initializer of a weight of this name.

    Args:
        configured: The class and configuration of its layer.
        name: Its own name: ``recurrent_kernel``, ``W_i``.
        layer: The names of the layers around it; the last one says which attention projection it is.
        inputs: How many inputs its layer has, if known; only weightkit's NoisyDense needs it.

    Returns:
        What the configuration says, or the class's default where it says nothing; None where neither is known. A
        class that is not Keras' own has no defaults, but where it has a ``w2_initializer``, that is of its ``w2``.
    """
    if configured.keras_1:
        return _of_keras1(configured, name)
    rule = None
    if configured.builtin:
        rule = _rule(configured.layer_class, name) or _rule(configured.layer_class, without_number(name))
    if rule is not None:
        return _by_rule(configured, name, layer, rule)
    is_known = configured.builtin and find(configured.layer_class) is not None
    return None if is_known else _of_custom(configured, name, layer, inputs)


def _by_rule(configured: Configured, name: str, layer: str | None, rule: _Rule) -> Initial:
    """By the rule of a class of Keras."""
    key, default, flag = rule
    spec = configured.config.get(key, default) if key else default
    forget = None
    # Keras opens the forget gate by default.
    if flag is not None and configured.config.get(flag, True):
        forget = Forget("ones", *_FORGET_PARTS.get(configured.layer_class, _FORGET_PART))
    # Keras' default for an initializer of None.
    return Initial("glorot_uniform" if spec is None else spec, forget, einsum_axes(configured, name, layer))


def require_initial(configured: Configured | None, ref: WeightRef, inputs: int | None = None) -> Initial:
    """How a weight began.

    Raises:
        RequestError: There is no configuration of its layer, or it does not tell.
    """
    if configured is None:
        raise RequestError("there is no configuration of its layer")
    initial = None if ref.name is None else initial_of(configured, ref.name, ref.layer, inputs)
    if initial is not None:
        return initial
    raise RequestError(f"its layer is a {configured.layer_class}, {_why_not(configured, ref.name)}")


def _why_not(configured: Configured, name: str | None) -> str:
    if is_own(configured) and configured.layer_class == wrapper.WRAPPER:
        return "which computes it from the weights inside: load the model and call the layer's reinitialize()"
    if configured.builtin:
        return "which has none for it"
    return f"which is not a Keras layer, and whose configuration has no {name or 'NAME'}_initializer"


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


def _of_custom(configured: Configured, name: str, layer: str | None, inputs: int | None) -> Initial | None:
    """By the custom that Keras' own layers follow: ``w2_initializer`` is the initializer of ``w2``."""
    config = configured.config
    spec = config.get(f"{name}_initializer")
    if spec is None and is_own(configured):
        spec = weightkit_layers.initializer_of(configured, name, inputs) or wrapper.initializer_of(configured, name)
    if spec is None:
        return None
    # Subclasses of Keras' recurrent layers open the forget gate too.
    forget = Forget("ones", *_FORGET_PART) if name == "bias" and config.get("unit_forget_bias") else None
    return Initial(spec, forget, einsum_axes(configured, name, layer))


def _of_keras1(configured: Configured, name: str) -> Initial | None:
    found = keras1_beginnings.beginning(configured, name)
    if found is None:
        return None
    forget = None if found.forget is None else Forget(found.forget, *_FORGET_PART)
    return Initial(found.spec, forget, keras_1=True, channels_first=found.channels_first)

"""Weight normalization: the direction and the length of a weight as separate variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class WeightNorm(Parametrization):
    """The weight of every output is ``w = g * v / ||v||`` (Salimans and Kingma 2016, arXiv 1602.07868, equation 2).

    ``v`` is the layer's own variable, and ``g``, one number for each output, is added as ``kernel_g``. Its initial
    value is ``||v||``, so that wrapping does not change the output.

    Example:
        >>> import keras, weightkit.layers
        >>> layer = weightkit.layers.Parametrized(keras.layers.Dense(3), kernel=weightkit.layers.WeightNorm())
        >>> layer.build((None, 5))
        >>> [weight.name for weight in layer.trainable_weights]
        ['kernel_g', 'kernel', 'bias']
    """

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add one length for each output."""
        axes = weight.axes
        shape = tuple(1 if axis in axes.inputs else size for axis, size in enumerate(axes.shape))

        def initial(_shape: Any, dtype: Any = None) -> Any:
            return ops.cast(_norm(weight.before(), axes.inputs), dtype)

        return {"g": weight.add(f"{weight.label}_g", shape, initial)}

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """Length times direction."""
        squares = ops.sum(ops.square(base), axis=weight.axes.inputs, keepdims=True)
        return base * (added["g"].variable.value * ops.rsqrt(ops.where(squares > 0, squares, 1)))  # zeros stay zero


def _norm(value: Any, axes: tuple[int, ...]) -> Any:
    return ops.sqrt(ops.sum(ops.square(value), axis=axes, keepdims=True))

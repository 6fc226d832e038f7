"""Weight standardization: filters with mean 0 and variance 1, or variance 1 / fan_in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import boolean, number
from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class StandardizedWeight(Parametrization):
    """Every filter minus its mean, divided by its standard deviation (Qiao 2019, arXiv 1903.10520, equation 5).

    With ``scaled`` it is also divided by the square root of its fan-in (Brock 2021, arXiv 2102.06171, equation 1),
    so that outputs have the variance of the inputs. ``kernel_gain``, one factor for each filter with the initial value
    1, multiplies it, unless ``gain`` is False. Wrapping changes the layer's output.

    Args:
        gain: Whether each filter has a trained factor.
        scaled: Whether to divide by the square root of the fan-in.
        epsilon: Added to each filter's variance.
    """

    gain: bool = True
    scaled: bool = False
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Check the settings."""
        self._check(number, "epsilon", at_least=0)
        self._check(boolean, "gain", "scaled")

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add a factor for each filter."""
        axes = weight.axes
        shape = tuple(1 if axis in axes.inputs else size for axis, size in enumerate(axes.shape))
        return {"gain": weight.add(f"{weight.label}_gain", shape, _ones)} if self.gain else {}

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The standardized weight."""
        axes = weight.axes
        centered = base - ops.mean(base, axis=axes.inputs, keepdims=True)
        variance = ops.mean(ops.square(centered), axis=axes.inputs, keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.scaled:
            factor = factor * axes.fan_in**-0.5
        return centered * (factor * added["gain"].variable.value if added else factor)


def _ones(shape: Any, dtype: Any = None) -> Any:
    return ops.ones(shape, dtype=dtype)

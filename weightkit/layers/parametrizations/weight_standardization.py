"""Weight standardization: filters of mean 0 and variance 1, over their fan-in if asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.parametrizations.parametrization import Added, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True)
class StandardizedWeight(Parametrization):
    """Every filter less its mean, over its standard deviation (Qiao 2019, arXiv 1903.10520, equation 5).

    With ``scaled`` it is divided by the square root of its fan-in too (Brock 2021, arXiv 2102.06171, equation 1),
    so that outputs keep the variance of inputs. ``kernel_gain``, one number for each filter that begins at 1,
    multiplies it, unless ``gain`` is False. Wrapping changes the layer's output.

    Args:
        gain: Whether each filter has a trained gain.
        scaled: Whether to divide by the square root of the fan-in.
        epsilon: Added to each filter's variance.
    """

    gain: bool = True
    scaled: bool = False
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Check the settings."""
        self._require(
            "epsilon", isinstance(self.epsilon, int | float) and self.epsilon >= 0, "give a number of at least 0"
        )
        self._require_flags("gain", "scaled")

    def build(self, weight: Weight) -> dict[str, Added]:
        """A gain for each filter."""
        axes = weight.axes
        shape = tuple(1 if axis in axes.inputs else size for axis, size in enumerate(axes.shape))
        return {"gain": weight.add(f"{weight.label}_gain", shape, _ones)} if self.gain else {}

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """Standardized, and scaled."""
        axes = weight.axes
        centered = base - ops.mean(base, axis=axes.inputs, keepdims=True)
        variance = ops.mean(ops.square(centered), axis=axes.inputs, keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.scaled:
            factor = factor * axes.fan_in**-0.5
        return centered * (factor * added["gain"].variable.value if added else factor)


def _ones(shape: Any, dtype: Any = None) -> Any:
    return ops.ones(shape, dtype=dtype)

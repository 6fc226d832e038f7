"""Draws that keep the variance of the layer's inputs or outputs: Glorot, He, LeCun."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from weightkit.errors import RequestError
from weightkit.transforms.initializers.fans import compute_fans
from weightkit.transforms.initializers.numbers import require_finite
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform, TruncatedNormal

if TYPE_CHECKING:
    import numpy as np

    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Shape

_TRUNCATION = 0.87962566103423978
"""Standard deviation of the standard normal distribution truncated at 2; Keras' own digits."""

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
_ALIASES = {"normal": "truncated_normal"}  # Keras 2's name


@dataclass(frozen=True, slots=True)
class VarianceScaling:
    """Variance ``scale / n``, with ``n`` the fan that ``mode`` names, at least 1.

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks"; He et al. 2015,
    "Delving deep into rectifiers"; LeCun et al. 1998, "Efficient BackProp".
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    input_axes: tuple[int, ...] | None = None
    output_axes: tuple[int, ...] | None = None
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_finite(self, scale=self.scale)
        if self.scale <= 0:
            raise RequestError(f"scale of VarianceScaling must be > 0, got {self.scale!r}", hint="give one, such as 2")
        mode, distribution = str(self.mode).lower(), str(self.distribution).lower()
        object.__setattr__(self, "mode", _one_of("mode", mode, _MODES))
        wanted = _ALIASES.get(distribution, distribution)
        object.__setattr__(self, "distribution", _one_of("distribution", wanted, _DISTRIBUTIONS))
        for axes in ("input_axes", "output_axes"):
            object.__setattr__(self, axes, _axes(axes, getattr(self, axes)))

    def along(self, input_axes: tuple[int, ...], output_axes: tuple[int, ...]) -> VarianceScaling:
        """The same with these axes, unless it already has axes."""
        if None not in (self.input_axes, self.output_axes):
            return self
        return replace(self, input_axes=input_axes, output_axes=output_axes)

    def objection(self, shape: Shape) -> str:
        """Its axes must be axes of the weight."""
        axes = (*(self.input_axes or ()), *(self.output_axes or ()))
        outside = [axis for axis in axes if not -len(shape) <= axis < len(shape)]
        return (
            f"axis {outside[0]} of the initializer must be an axis of the weight, whose shape is {shape}"
            if outside
            else ""
        )

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """Draws scaled by the fans of the whole shape."""
        return self._of(shape)(shape, draws, first, last)

    def _of(self, shape: Shape) -> RandomNormal | RandomUniform | TruncatedNormal:
        """The distribution that Keras uses for a weight of this shape."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "truncated_normal":
            # Truncation narrows the distribution; dividing makes up for it, as Keras does.
            return TruncatedNormal(0.0, math.sqrt(variance) / _TRUNCATION)
        if self.distribution == "untruncated_normal":
            return RandomNormal(0.0, math.sqrt(variance))
        # A uniform distribution within the limit has a variance of limit squared / 3.
        limit = math.sqrt(3.0 * variance)
        return RandomUniform(-limit, limit)


def _one_of(what: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise RequestError(
            f"{what} of VarianceScaling must be one of {', '.join(allowed)}, got {text!r}", hint="give one of them"
        )
    return text


def _axes(name: str, axes: object) -> tuple[int, ...] | None:
    if axes is None:
        return None
    if isinstance(axes, list | tuple) and all(type(axis) is int for axis in axes):
        return tuple(axes)
    raise RequestError(f"{name} of VarianceScaling must be a list of axes or None, got {axes!r}", hint="give one")

"""Initializers of Keras 1: its normal draws are not truncated, its fans follow the ordering of dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from weightkit.transforms.initializers.constant import Ones, Zeros
from weightkit.transforms.initializers.matrices import FirstAxisOrthogonal, Identity
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Initializer, Shape

_CONVOLUTIONS = (4, 5)  # axes of a kernel; the one-dimensional convolution's has four too


@dataclass(frozen=True, slots=True)
class Scaled:
    """A draw with a spread of ``sqrt(numerator / (fan_in + fan_out))``, or with ``fan_in`` alone."""

    numerator: float
    both_fans: bool
    normal: bool
    channels_first: bool | None = True
    """None where nothing says."""
    elementwise: ClassVar[bool] = True

    def objection(self, shape: Shape) -> str:
        """The order of a convolution's axes must be known."""
        unknown = self.channels_first is None and len(shape) in _CONVOLUTIONS
        return "the configuration of its layer has no dim_ordering, which says where its inputs are" if unknown else ""

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """Draws scaled by the fans of the whole shape."""
        fan_in, fan_out = compute_fans(shape, channels_first=self.channels_first is not False)
        spread = math.sqrt(self.numerator / max(1.0, fan_in + fan_out if self.both_fans else fan_in))
        how = RandomNormal(0.0, spread) if self.normal else RandomUniform(-spread, spread)
        return how(shape, draws, first, last)


def compute_fans(shape: Shape, *, channels_first: bool) -> tuple[float, float]:
    """``(fan_in, fan_out)`` as Keras 1.2.2 computes them."""
    if len(shape) == 2:  # noqa: PLR2004  # a matrix
        return shape
    if len(shape) not in _CONVOLUTIONS:
        return (math.sqrt(math.prod(shape)),) * 2
    if channels_first:
        field = math.prod(shape[2:])
        return shape[1] * field, shape[0] * field
    field = math.prod(shape[:2])
    return shape[-2] * field, shape[-1] * field


def find(name: str, *, channels_first: bool | None) -> Initializer | None:
    """An initializer of Keras 1 by its name; None for another name."""
    make = _BY_NAME.get(name)
    return make(channels_first) if make is not None else None


def _scaled(numerator: float, *, both_fans: bool = False, normal: bool = False) -> Callable[[bool | None], Initializer]:
    return lambda channels_first: Scaled(numerator, both_fans, normal, channels_first)


_BY_NAME: dict[str, Callable[[bool | None], Initializer]] = {
    # The spread of 0.05, and 1.1 for orthogonal, are the defaults of Keras 1.2.2.
    "uniform": lambda _: RandomUniform(-0.05, 0.05),
    "normal": lambda _: RandomNormal(0.0, 0.05),
    "lecun_uniform": _scaled(3.0),
    "glorot_normal": _scaled(2.0, both_fans=True, normal=True),
    "glorot_uniform": _scaled(6.0, both_fans=True),
    "he_normal": _scaled(2.0, normal=True),
    "he_uniform": _scaled(6.0),
    "orthogonal": lambda _: FirstAxisOrthogonal(1.1),
    "identity": lambda _: Identity(),
    "zero": lambda _: Zeros(),
    "one": lambda _: Ones(),
}

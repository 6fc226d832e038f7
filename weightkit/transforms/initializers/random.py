"""Independent draws from one distribution, for any shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from weightkit.errors import RequestError
from weightkit.transforms.initializers.initializer import AnyShape
from weightkit.transforms.initializers.numbers import is_finite, require_finite

if TYPE_CHECKING:
    import numpy as np

    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Shape

import math


@dataclass(frozen=True, slots=True)
class RandomNormal(AnyShape):
    """The normal distribution."""

    mean: float = 0.0
    stddev: float = 0.05
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require_spread(self, self.mean, self.stddev)

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """``mean + stddev * normal``."""
        return self.mean + self.stddev * draws.normal(math.prod(shape), first, last)


@dataclass(frozen=True, slots=True)
class TruncatedNormal(AnyShape):
    """The normal distribution within two standard deviations; numbers farther out are drawn again.

    ``stddev`` is that before truncation: what is drawn has 0.88 of it.
    """

    mean: float = 0.0
    stddev: float = 0.05
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require_spread(self, self.mean, self.stddev)

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """``mean + stddev * truncated normal``."""
        return self.mean + self.stddev * draws.truncated_normal(math.prod(shape), first, last)


@dataclass(frozen=True, slots=True)
class RandomUniform(AnyShape):
    """The uniform distribution between two numbers."""

    minval: float = -0.05
    maxval: float = 0.05
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_finite(self, minval=self.minval, maxval=self.maxval)
        if self.minval > self.maxval:
            raise RequestError(
                f"minval of {type(self).__name__} must be <= maxval={self.maxval!r}, got {self.minval!r}",
                hint="swap them",
            )
        # Two finite numbers may be infinitely far apart in float64.
        if not is_finite(self.maxval - self.minval):
            raise RequestError(
                f"maxval - minval of {type(self).__name__} must be finite, got {self.maxval!r} - {self.minval!r}",
                hint="give two numbers whose difference is finite",
            )

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:
        """``minval + (maxval - minval) * uniform``."""
        return self.minval + (self.maxval - self.minval) * draws.uniform(math.prod(shape), first, last)


def _require_spread(initializer: object, mean: float, stddev: float) -> None:
    require_finite(initializer, mean=mean, stddev=stddev)
    if stddev < 0:
        raise RequestError(
            f"stddev of {type(initializer).__name__} must be >= 0, got {stddev!r}", hint="give one, such as stddev=0.05"
        )

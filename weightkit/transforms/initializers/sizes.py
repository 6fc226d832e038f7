"""How large the numbers of an initializer are: a narrow type that cannot hold them is refused before drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.transforms.initializers.constant import Constant
from weightkit.transforms.initializers.matrices import FirstAxisOrthogonal, Identity, Orthogonal
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform, TruncatedNormal

if TYPE_CHECKING:
    from weightkit.transforms.initializers.initializer import Initializer


def size_of(initializer: Initializer) -> float:
    """The largest constant or bound, or one standard deviation from the mean; 0 if the shape decides (always small)."""
    if isinstance(initializer, Constant):
        return float(np.max(np.abs(np.asarray(initializer.value, np.float64)), initial=0.0))
    if isinstance(initializer, RandomUniform):
        return max(abs(initializer.minval), abs(initializer.maxval))
    if isinstance(initializer, RandomNormal | TruncatedNormal):
        return max(abs(initializer.mean), initializer.stddev)
    if isinstance(initializer, FirstAxisOrthogonal | Identity | Orthogonal):
        return abs(initializer.gain)
    return 0.0

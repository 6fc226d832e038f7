"""Measure the values of a weight, in one streaming pass with fixed memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access import is_floating, spans

if TYPE_CHECKING:
    from weightkit.access import WeightRef, WeightStore


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures of a weight's finite elements, in float64; NaNs and infinities are counted separately.

    The least and the greatest are None where no element is finite.
    """

    count: int = 0
    """Finite elements."""
    min: float | None = None
    max: float | None = None
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared distances from the mean."""
    norm_squared: float = 0.0
    zeros: int = 0
    nans: int = 0
    infinities: int = 0

    @property
    def std(self) -> float | None:
        """Standard deviation of the whole population."""
        return math.sqrt(self.squares / self.count) if self.count else None

    @property
    def norm(self) -> float:
        """Euclidean norm."""
        return math.sqrt(self.norm_squared)

    def merge(self, other: Statistics) -> Statistics:
        """Measures of both together (Chan, Golub & LeVeque 1979, pairwise update of mean and squares)."""
        count = self.count + other.count
        share = other.count / count if count else 0.0
        apart = other.mean - self.mean
        return Statistics(
            count=count,
            min=_least(min, self.min, other.min),
            max=_least(max, self.max, other.max),
            mean=self.mean + apart * share,
            squares=self.squares + other.squares + apart * apart * self.count * share,
            norm_squared=self.norm_squared + other.norm_squared,
            zeros=self.zeros + other.zeros,
            nans=self.nans + other.nans,
            infinities=self.infinities + other.infinities,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON; None where a measure is not a finite number."""
        measures = {
            "min": self.min,
            "max": self.max,
            "mean": self.mean if self.count else None,
            "std": self.std,
            "norm": self.norm,
        }
        finite = {
            name: value if value is not None and math.isfinite(value) else None for name, value in measures.items()
        }
        return finite | {"zeros": self.zeros, "nan": self.nans, "inf": self.infinities}


def measure(store: WeightStore, ref: WeightRef) -> Statistics | None:
    """Measure one weight; None if its values are not numbers."""
    if not is_floating(ref.dtype) and ref.dtype.kind not in "biu":
        return None
    total = Statistics()
    for span in spans(ref.size):
        total = total.merge(_of_tile(store.read(ref, span)))
    return total


def _of_tile(values: np.ndarray) -> Statistics:
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    nans = int(np.count_nonzero(np.isnan(numbers)))
    infinities = numbers.size - finite.size - nans
    if not finite.size:
        return Statistics(nans=nans, infinities=infinities)
    # Squares may leave float64's range; JSON has None for such a measure.
    with np.errstate(over="ignore"):
        mean = float(finite.mean())
        return Statistics(
            count=finite.size,
            min=float(finite.min()),
            max=float(finite.max()),
            mean=mean,
            squares=float(np.square(finite - mean).sum()),
            norm_squared=float(np.square(finite).sum()),
            zeros=finite.size - int(np.count_nonzero(finite)),
            nans=nans,
            infinities=infinities,
        )


def _least(choose: Any, first: float | None, second: float | None) -> float | None:
    numbers = [number for number in (first, second) if number is not None]
    return choose(numbers) if numbers else None

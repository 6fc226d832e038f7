"""Multiply weights by a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access import ALL, Kind, Transform, is_floating
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access import WeightRef

_NEVER = {
    Kind.OPTIMIZER: "it is optimizer state, which includes the step count and the learning rate",
    Kind.QUANTIZATION: "it belongs to a quantized layer, whose integers and scales are not scaled one by one",
}


@dataclass(frozen=True, slots=True)
class Scale(Transform):
    """Multiply every element by ``factor``; made by `scale`."""

    factor: float

    def __repr__(self) -> str:
        return f"scale({self.factor!r})"

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be scaled; empty where it can.

        Raises:
            RequestError: It could, but the factor is lost in the type in which it would be computed.
        """
        if ref.kind in _NEVER:
            return _NEVER[ref.kind]
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype}, and only floating-point numbers are scaled"
        self._require_kept_in(np.dtype(np.float64 if ref.dtype.itemsize == 8 else np.float32), ref)  # noqa: PLR2004
        return ""

    def notes(self) -> tuple[str, ...]:
        """A word on what a factor of 0 does."""
        return () if self.factor else ("the factor is 0: every chosen weight becomes zero",)

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """``values * factor``, the factor rounded to the type of the values first."""
        scaled: np.ndarray = values * values.dtype.type(self.factor)
        return scaled

    def _require_kept_in(self, dtype: np.dtype, ref: WeightRef) -> None:
        """Refuse the whole edit: to leave this weight and scale those of a wider type would make half a model."""
        with np.errstate(all="ignore"):
            rounded = float(dtype.type(self.factor))
        if math.isinf(rounded) or (rounded == 0) != (self.factor == 0):
            raise RequestError(
                f"the factor {self.factor!r} becomes {rounded!r} in {dtype}, in which {ref.path} is computed",
                hint=f"give a factor that {dtype} can hold",
            )


def scale(factor: float) -> Scale:
    """Multiply weights by a number.

    float32 and float64 give exactly NumPy's ``values * factor`` in that type; float16 and bfloat16 are computed
    in float32 and rounded once.

    Args:
        factor: Any finite number. 0 is allowed, and makes every chosen weight zero.

    Raises:
        RequestError: The factor is NaN or infinite.

    Example:
        >>> from weightkit import scale
        >>> scale(0.5)
        scale(0.5)
    """
    if isinstance(factor, bool) or not isinstance(factor, int | float | np.floating | np.integer):
        raise RequestError(f"factor is {factor!r}, not a number", hint="give a finite number, such as 0.5")
    number = _as_float(factor)
    if not math.isfinite(number):
        raise RequestError(f"factor is {number!r}", hint="give a finite number, such as 0.5")
    return Scale(number)


def _as_float(factor: float | np.floating | np.integer) -> float:
    try:
        return float(factor)
    except OverflowError:  # an integer of Python's, which has no bounds
        return math.inf if factor > 0 else -math.inf

"""Checks of the numbers in initializers."""

from __future__ import annotations

import math

import numpy as np

from weightkit.errors import RequestError


def is_finite(value: object) -> bool:
    """Whether it is a number that float64 can hold; an integer may be too large, and a boolean is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    try:
        return math.isfinite(value)
    # TypeError: a complex number of NumPy.
    except (TypeError, OverflowError):
        return False


def is_held_by(dtype: np.dtype, value: float) -> bool:
    """Whether a finite number stays finite in a floating-point type."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.asarray(value, np.float64).astype(dtype).astype(np.float64)))


def require_finite(initializer: object, **numbers: object) -> None:
    """Refuse anything but a finite number.

    Raises:
        RequestError: One is not; the first is named.
    """
    for name, number in numbers.items():
        if not isinstance(number, int | float) or not is_finite(number):
            raise RequestError(
                f"{name} of {type(initializer).__name__} must be a finite number, got {shortened(number)}",
                hint="give one, such as 0.05",
            )


def shortened(value: object) -> str:
    """A value as text that fits on a line."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004  # characters of a line

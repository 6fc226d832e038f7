"""The numbers that initializers are given."""

from __future__ import annotations

import math

import numpy as np

from weightkit.errors import RequestError


def is_finite(value: object) -> bool:
    """Whether it is a number that float64 holds; an integer may be too large for it, and a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):
        return False


def is_held_by(dtype: np.dtype, value: float) -> bool:
    """Whether a finite number stays finite in a floating-point type."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.asarray(value, np.float64).astype(dtype).astype(np.float64)))


def require_finite(initializer: object, **numbers: object) -> None:
    """Refuse what is no finite number.

    Raises:
        RequestError: One is not; the first is named.
    """
    for name, number in numbers.items():
        if not isinstance(number, int | float) or not is_finite(number):
            raise RequestError(
                f"{type(initializer).__name__} has a {name} of {shortened(number)}",
                hint="give a finite number, such as 0.05",
            )


def shortened(value: object) -> str:
    """A value as a line can hold it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004  # characters of a line

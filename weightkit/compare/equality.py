"""Which elements of two weights are equal: by their bits, in weights of two types by their values."""

from __future__ import annotations

import numpy as np

from weightkit.access import is_floating

_WORDS = (8, 4, 2, 1)  # bytes


def is_same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two spans have the same type and bits."""
    if ours.dtype != theirs.dtype:
        return False
    return np.array_equal(_bits(ours), _bits(theirs))


def differing(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which elements are not equal."""
    if ours.dtype == theirs.dtype:
        width = ours.dtype.itemsize
        if width in _WORDS:
            return np.asarray(ours.view(f"u{width}") != theirs.view(f"u{width}"))
        first, second = (values.view(np.uint8).reshape(values.size, width) for values in (ours, theirs))
        return np.asarray((first != second).any(axis=1))
    if not (are_numbers(ours.dtype) and are_numbers(theirs.dtype)):
        return np.ones(ours.shape, np.bool_)
    if are_integers(ours.dtype) and are_integers(theirs.dtype):
        return np.asarray(between_integers(ours, theirs) != 0)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        a, b = numbers_of(ours), numbers_of(theirs)
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def are_numbers(dtype: np.dtype) -> bool:
    """Whether values of this type are real numbers, integers and booleans included."""
    return is_floating(dtype) or are_integers(dtype)


def are_integers(dtype: np.dtype) -> bool:
    """Whether values of this type are integers, booleans included."""
    return dtype.kind in "biu"


def between_integers(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The second minus the first in float64, rounded once, so zero only if they are equal; integers of any width."""
    (high, low), (other_high, other_low) = _halves(ours), _halves(theirs)
    return np.asarray((other_high - high) * 2.0**32 + (other_low - low))


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower 32 bits, which float64 can hold exactly."""
    wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64, copy=False)
    return (wide >> 32).astype(np.float64), (wide & 0xFFFFFFFF).astype(np.float64)


def numbers_of(values: np.ndarray) -> np.ndarray:
    """Values in float64; zeros for what are no real numbers."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return values.astype(np.float64) if are_numbers(values.dtype) else np.zeros(values.size)


def _bits(values: np.ndarray) -> np.ndarray:
    """The same bytes in the widest words that fit them."""
    raw = values.view(np.uint8)
    return raw.view(next(f"u{width}" for width in _WORDS if raw.size % width == 0))

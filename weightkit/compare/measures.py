"""Measure how far the elements of two weights are apart, in one streaming pass with fixed memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access import is_floating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far apart elements may be and still count as close: ``abs(a - b) <= atol + rtol * abs(b)``."""

    rtol: float = 0.0
    atol: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.rtol or self.atol)


EXACT = Tolerance()
_WORDS = (8, 4, 2, 1)  # bytes
_LEAST = 1e-200
"""A sum of squares below this may have lost some squares: float64 ends at 1e-308."""
_PART = 32_768
"""Elements that are measured at a time: 256 KiB in float64, so all temporary arrays fit in the cache."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Distances between the elements of two weights, in float64.

    Two elements are the same where their bits are, in weights of two types where their values are (and two NaNs
    then). Norms and the product are those of the pairs in which both are finite.
    """

    size: int = 0
    """Elements of each weight."""
    changed: int = 0
    """Elements that are not equal."""
    outside: int = 0
    """Changed elements that are not close either."""
    zeroed: int = 0
    """Changed elements that are now zero."""
    zeros: int = 0
    """Elements that are now zero, changed or not; counted if something changed."""
    lost: int = 0
    """Elements that were finite and no longer are."""
    finite: int = 0
    """Pairs of finite numbers; counted if something changed."""
    largest: float = 0.0
    """Largest absolute difference of such a pair."""
    max_at: int | None = None
    """The index of that element in C order; None if no finite element changed."""
    difference: float = 0.0
    """Norm of the differences."""
    ours: float = 0.0
    """Norm of the first weight."""
    theirs: float = 0.0
    """Norm of the second."""
    product: float = 0.0
    """Sum of products of the two."""

    def __add__(self, other: Self) -> Measures:
        """Measures of two spans; ``other`` is the later one."""
        farther = other.max_at is not None and (self.max_at is None or other.largest > self.largest)
        return Measures(
            self.size + other.size,
            self.changed + other.changed,
            self.outside + other.outside,
            self.zeroed + other.zeroed,
            self.zeros + other.zeros,
            self.lost + other.lost,
            self.finite + other.finite,
            other.largest if farther else self.largest,
            other.max_at if farther else self.max_at,
            # `hypot` neither overflows nor loses small norms, as sums of squares do.
            math.hypot(self.difference, other.difference),
            math.hypot(self.ours, other.ours),
            math.hypot(self.theirs, other.theirs),
            self.product + other.product,
        )

    @property
    def max_abs(self) -> float | None:
        """Largest absolute difference; None if no pair of numbers is finite."""
        return self.largest if self.finite or not self.changed else None

    @property
    def relative_l2(self) -> float | None:
        """``norm(b - a) / norm(a)``; infinite if ``a`` is zero and ``b`` is not, None if it is not known."""
        if not self.changed:
            return 0.0
        if not self.finite or not (math.isfinite(self.difference) and math.isfinite(self.ours)):
            return None
        if not self.ours:
            return math.inf if self.difference else 0.0
        return self.difference / self.ours

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between the two; None if one of them is zero, or squares leave float64's range."""
        if not self.changed:
            return 1.0
        norms = self.ours * self.theirs
        if not (_LEAST <= norms < math.inf and math.isfinite(self.product)):
            return None
        # Rounding may give a little more than 1.
        return max(-1.0, min(1.0, self.product / norms))

    def to_dict(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """As JSON; None where a measure is not a finite number."""
        at = None if self.max_at is None else [int(index) for index in np.unravel_index(self.max_at, shape)]
        return {
            "max_abs": _finite(self.max_abs),
            "max_at": at,
            "relative_l2": _finite(self.relative_l2),
            "cosine": _finite(self.cosine),
            "changed": self.changed,
            "outside": self.outside,
            "size": self.size,
        }


def measure(ours: np.ndarray, theirs: np.ndarray, first: int, tolerance: Tolerance = EXACT) -> Measures:
    """Measure one span in which two weights differ.

    Args:
        ours: Elements of the first weight, flat.
        theirs: The same of the second.
        first: Where the span starts, in elements.
        tolerance: What counts as close.
    """
    if not (are_numbers(ours.dtype) and are_numbers(theirs.dtype)):
        count = int(np.count_nonzero(differing(ours, theirs)))
        return Measures(ours.size, count, count)
    with np.errstate(all="ignore"):
        parts = (_part(ours[part], theirs[part], first + part.start, tolerance) for part in _parts(ours.size))
        return sum(parts, start=Measures())


def unchanged(values: np.ndarray) -> Measures:
    """Measure one span in which two weights are equal; the size is counted elsewhere."""
    if not are_numbers(values.dtype):
        return Measures()
    with np.errstate(all="ignore"):
        return sum((_unchanged(_numbers(values[part])) for part in _parts(values.size)), start=Measures())


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
        return np.asarray(_between_integers(ours, theirs) != 0)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        a, b = _numbers(ours), _numbers(theirs)
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def are_numbers(dtype: np.dtype) -> bool:
    """Whether values of this type are real numbers, integers and booleans included."""
    return is_floating(dtype) or are_integers(dtype)


def are_integers(dtype: np.dtype) -> bool:
    """Whether values of this type are integers, booleans included."""
    return dtype.kind in "biu"


def _parts(size: int) -> Iterator[slice]:
    for first in range(0, size, _PART):
        yield slice(first, first + _PART)


def _part(ours: np.ndarray, theirs: np.ndarray, first: int, tolerance: Tolerance) -> Measures:
    a, b = _numbers(ours), _numbers(theirs)
    both_integers = are_integers(ours.dtype) and are_integers(theirs.dtype)
    apart = _between_integers(ours, theirs) if both_integers else b - a
    zero, moved, count = b == 0, apart != 0, a.size
    # -0.0 equals 0.0 and has other bits: bits are compared unless every value moved.
    changed = moved if moved.all() else differing(ours, theirs)
    difference, outside, lost = _norm(apart), 0, 0
    if not math.isfinite(difference):  # a NaN or an infinity somewhere
        finite = np.isfinite(a) & np.isfinite(b)
        changed = differing(ours, theirs)
        count, lost = int(np.count_nonzero(finite)), int(np.count_nonzero(np.isfinite(a) & ~finite))
        outside = int(np.count_nonzero(changed & ~finite))
        a, b, apart = (np.where(finite, numbers, 0.0) for numbers in (a, b, apart))
        moved, difference = apart != 0, _norm(apart)
    at = _largest(apart)
    return Measures(
        a.size,
        int(np.count_nonzero(changed)),
        outside + int(np.count_nonzero(_are_outside(apart, b, tolerance) if tolerance else moved)),
        int(np.count_nonzero(zero & changed)),
        int(np.count_nonzero(zero)),
        lost,
        count,
        abs(float(apart[at])),
        first + at if apart[at] else None,
        difference,
        _norm(a),
        _norm(b),
        _product(a, b),
    )


def _largest(apart: np.ndarray) -> int:
    """The first place of the largest absolute value, so that the parts of an array agree with the whole."""
    most, least = int(apart.argmax()), int(apart.argmin())
    if apart[most] == -apart[least]:
        return min(most, least)
    return most if apart[most] > -apart[least] else least


def _unchanged(values: np.ndarray) -> Measures:
    finite = np.isfinite(values)
    kept = values if finite.all() else np.where(finite, values, 0.0)
    norm = _norm(kept)
    return Measures(finite=int(np.count_nonzero(finite)), ours=norm, theirs=norm, product=_product(kept, kept))


def _between_integers(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The second minus the first in float64, rounded once, so zero only if they are equal; integers of any width."""
    (high, low), (other_high, other_low) = _halves(ours), _halves(theirs)
    return np.asarray((other_high - high) * 2.0**32 + (other_low - low))


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper and the lower 32 bits, which float64 can hold exactly."""
    wide = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64, copy=False)
    return (wide >> 32).astype(np.float64), (wide & 0xFFFFFFFF).astype(np.float64)


def _are_outside(apart: np.ndarray, b: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    return np.asarray(np.abs(apart) > tolerance.atol + tolerance.rtol * np.abs(b))


def _product(a: np.ndarray, b: np.ndarray) -> float:
    """The dot product of two vectors; unlike NumPy's dot, einsum starts no threads."""
    return float(np.einsum("i,i->", a, b))


def _norm(values: np.ndarray) -> float:
    """The norm of a vector, scaled by a power of two if its squares leave float64's range."""
    squares = _product(values, values)
    if _LEAST <= squares < math.inf:
        return math.sqrt(squares)
    largest = float(np.abs(values).max())
    if largest == 0 or not math.isfinite(largest):
        return largest
    # Scaling by a power of two is exact.
    _, exponent = math.frexp(largest)
    scaled = np.ldexp(values, -exponent)
    return float(np.ldexp(math.sqrt(_product(scaled, scaled)), exponent))


def _numbers(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return values.astype(np.float64) if are_numbers(values.dtype) else np.zeros(values.size)


def _bits(values: np.ndarray) -> np.ndarray:
    """The same bytes in the widest words that fit them."""
    raw = values.view(np.uint8)
    return raw.view(next(f"u{width}" for width in _WORDS if raw.size % width == 0))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""Measure how far the elements of two weights are apart, in one streaming pass with fixed memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.compare.equality import are_integers, are_numbers, between_integers, differing, numbers_of

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
    """Changed elements that are not close either; all of them without a tolerance."""
    alike: int = 0
    """Changed elements with the same value in other bits: zeros of the other sign, NaNs with another payload."""
    zeroed: int = 0
    """Changed elements that are now zero, and were not."""
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
            self.alike + other.alike,
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
        return sum((_unchanged(numbers_of(values[part])) for part in _parts(values.size)), start=Measures())


def _parts(size: int) -> Iterator[slice]:
    for first in range(0, size, _PART):
        yield slice(first, first + _PART)


def _part(ours: np.ndarray, theirs: np.ndarray, first: int, tolerance: Tolerance) -> Measures:
    a, b = numbers_of(ours), numbers_of(theirs)
    both_integers = are_integers(ours.dtype) and are_integers(theirs.dtype)
    apart = between_integers(ours, theirs) if both_integers else b - a
    difference, moved = _norm(apart), apart != 0
    # Infinities and NaNs are seen by it, since no sum with one is finite.
    all_finite = math.isfinite(difference)
    # -0.0 equals 0.0 and has other bits: bits are compared unless every value moved.
    changed = moved if all_finite and moved.all() else differing(ours, theirs)
    counts = _counts(a, b, changed, all_finite=all_finite)
    finite = None if all_finite else np.isfinite(a) & np.isfinite(b)
    lost = 0 if finite is None else _count(np.isfinite(a) & ~finite)
    close = _are_close(apart, b, tolerance, finite) if tolerance else None
    if finite is not None:
        a, b, apart = (np.where(finite, numbers, 0.0) for numbers in (a, b, apart))
        difference = _norm(apart)
    at = _largest(apart)
    return replace(
        counts,
        outside=counts.changed if close is None else _count(changed & ~close),
        lost=lost,
        finite=a.size if finite is None else _count(finite),
        largest=abs(float(apart[at])),
        max_at=first + at if apart[at] else None,
        difference=difference,
        ours=_norm(a),
        theirs=_norm(b),
        product=_product(a, b),
    )


def _counts(a: np.ndarray, b: np.ndarray, changed: np.ndarray, *, all_finite: bool) -> Measures:
    zero, alike, zeroed = b == 0, 0, 0
    if zero.any():
        was_zero = a == 0
        alike, zeroed = _count(changed & zero & was_zero), _count(changed & zero & ~was_zero)
    if not all_finite:
        alike += _count(changed & np.isnan(a) & np.isnan(b))
    return Measures(a.size, _count(changed), alike=alike, zeroed=zeroed, zeros=_count(zero))


def _are_close(apart: np.ndarray, b: np.ndarray, tolerance: Tolerance, finite: np.ndarray | None) -> np.ndarray:
    close = np.abs(apart) <= tolerance.atol + tolerance.rtol * np.abs(b)
    return np.asarray(close if finite is None else close & finite)


def _count(which: np.ndarray) -> int:
    return int(np.count_nonzero(which))


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


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

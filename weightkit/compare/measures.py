"""How far the elements of two weights lie apart, in one streaming pass of fixed memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.arithmetic import is_floating

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Measures:
    """Distances between the elements of two weights, in float64.

    Two elements are the same where their bits are, in weights of two types where their values are (and two NaNs
    then). Sums run over the pairs in which both are finite.
    """

    size: int = 0
    """Elements of each weight."""
    changed: int = 0
    """Elements that are not the same."""
    outside: int = 0
    """Changed elements that are not close either."""
    zeroed: int = 0
    """Changed elements that are now zero."""
    zeros: int = 0
    """Elements that are now zero, changed or not; counted where something changed."""
    lost: int = 0
    """Elements that were finite and are not."""
    max_abs: float = 0.0
    """Largest absolute difference."""
    max_at: int | None = None
    """Which element that is, counted in C order; None where no finite element changed."""
    difference: float = 0.0
    """Sum of squared differences."""
    ours: float = 0.0
    """Sum of squares of the first weight."""
    theirs: float = 0.0
    """Sum of squares of the second."""
    product: float = 0.0
    """Sum of products of the two."""

    def __add__(self, other: Self) -> Measures:
        """Measures of two spans; ``other`` is the later one."""
        farther = other.max_at is not None and (self.max_at is None or other.max_abs > self.max_abs)
        return Measures(
            self.size + other.size,
            self.changed + other.changed,
            self.outside + other.outside,
            self.zeroed + other.zeroed,
            self.zeros + other.zeros,
            self.lost + other.lost,
            other.max_abs if farther else self.max_abs,
            other.max_at if farther else self.max_at,
            self.difference + other.difference,
            self.ours + other.ours,
            self.theirs + other.theirs,
            self.product + other.product,
        )

    @property
    def relative_l2(self) -> float:
        """``norm(b - a) / norm(a)``; infinite where ``a`` is zero and ``b`` is not."""
        if not self.difference:
            return 0.0
        return math.sqrt(self.difference / self.ours) if self.ours else math.inf

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between the two; None where one of them is zero."""
        norms = math.sqrt(self.ours) * math.sqrt(self.theirs)
        return max(-1.0, min(1.0, self.product / norms)) if norms else None

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
    """Measures of one span of two weights.

    Args:
        ours: Elements of the first weight, flat.
        theirs: The same of the second.
        first: Where the span begins, in elements.
        tolerance: What counts as close.
    """
    if is_same(ours, theirs):
        return Measures(ours.size, ours=_squares(_numbers(ours)))
    changed = differing(ours, theirs)
    count = int(np.count_nonzero(changed))
    if not (are_numbers(ours.dtype) and are_numbers(theirs.dtype)):
        return Measures(ours.size, count, count)
    with np.errstate(all="ignore"):
        found = _measure(_numbers(ours), _numbers(theirs), changed, count, first, tolerance)
    exact_integers = not tolerance and not (is_floating(ours.dtype) or is_floating(theirs.dtype))
    return replace(found, outside=count) if exact_integers else found  # float64 does not tell all of them apart


def is_same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two spans have the same type and bits."""
    if ours.dtype != theirs.dtype:
        return False
    return np.array_equal(_bits(ours), _bits(theirs))


def differing(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which elements are not the same."""
    if ours.dtype == theirs.dtype:
        width = ours.dtype.itemsize
        if width in _WORDS:
            return np.asarray(ours.view(f"u{width}") != theirs.view(f"u{width}"))
        first, second = (values.view(np.uint8).reshape(values.size, width) for values in (ours, theirs))
        return np.asarray((first != second).any(axis=1))
    if not (are_numbers(ours.dtype) and are_numbers(theirs.dtype)):
        return np.ones(ours.shape, np.bool_)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        a, b = _numbers(ours), _numbers(theirs)
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def are_numbers(dtype: np.dtype) -> bool:
    """Whether values of this type are real numbers, integers and booleans included."""
    return is_floating(dtype) or dtype.kind in "biu"


def _measure(
    a: np.ndarray, b: np.ndarray, changed: np.ndarray, count: int, first: int, tolerance: Tolerance
) -> Measures:
    apart = b - a
    difference = _squares(apart)
    lost = 0
    if not math.isfinite(difference):  # a NaN or an infinity somewhere
        lost = int(np.count_nonzero(np.isfinite(a) & ~np.isfinite(b)))
        finite = np.isfinite(a) & np.isfinite(b)
        outside = int(np.count_nonzero(changed & ~finite))
        a, b, apart = np.where(finite, a, 0.0), np.where(finite, b, 0.0), np.where(finite, apart, 0.0)
        difference = _squares(apart)
    else:
        finite, outside = None, 0
    greatest = max(float(apart.max(initial=0.0)), -float(apart.min(initial=0.0)))
    zeroed, zeros = _zeros(b, changed, finite)
    return Measures(
        a.size,
        count,
        outside + _outside(apart, b, tolerance),
        zeroed,
        zeros,
        lost,
        greatest,
        first + int(np.argmax(np.abs(apart))) if greatest else None,
        difference,
        _squares(a),
        _squares(b),
        float(np.einsum("i,i->", a, b)),
    )


def _outside(apart: np.ndarray, b: np.ndarray, tolerance: Tolerance) -> int:
    if not tolerance:
        return int(np.count_nonzero(apart))
    return int(np.count_nonzero(np.abs(apart) > tolerance.atol + tolerance.rtol * np.abs(b)))


def _zeros(b: np.ndarray, changed: np.ndarray, finite: np.ndarray | None) -> tuple[int, int]:
    """How many changed elements are zero now, and how many elements in all."""
    if finite is None and np.count_nonzero(b) == b.size:
        return 0, 0
    zero = b == 0 if finite is None else (b == 0) & finite
    return int(np.count_nonzero(zero & changed)), int(np.count_nonzero(zero))


def _squares(values: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        total = float(np.einsum("i,i->", values, values))
        if math.isfinite(total):
            return total
        kept = np.where(np.isfinite(values), values, 0.0)
        return float(np.einsum("i,i->", kept, kept))


def _numbers(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return values.astype(np.float64) if are_numbers(values.dtype) else np.zeros(values.size)


def _bits(values: np.ndarray) -> np.ndarray:
    """The same bytes in the widest words that fit them."""
    raw = values.view(np.uint8)
    return raw.view(next(f"u{width}" for width in _WORDS if raw.size % width == 0))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

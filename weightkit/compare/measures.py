"""How far the elements of two weights lie apart, in one streaming pass of fixed memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.arithmetic import is_floating

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
_PART = 32_768
"""Elements that are measured at a time: 256 KiB in float64, so that all that is made of them fits the cache."""


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
        """Cosine of the angle between the two; None where one of them is zero and the other is not."""
        if not self.changed:
            return 1.0
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
    """Measures of one span of two weights that are not the same there.

    Args:
        ours: Elements of the first weight, flat.
        theirs: The same of the second.
        first: Where the span begins, in elements.
        tolerance: What counts as close.
    """
    if not (are_numbers(ours.dtype) and are_numbers(theirs.dtype)):
        count = int(np.count_nonzero(differing(ours, theirs)))
        return Measures(ours.size, count, count)
    with np.errstate(all="ignore"):
        parts = (_part(ours[part], theirs[part], first + part.start, tolerance) for part in _parts(ours.size))
        found = sum(parts, start=Measures())
    exact_integers = not tolerance and not (is_floating(ours.dtype) or is_floating(theirs.dtype))
    return replace(found, outside=found.changed) if exact_integers else found  # float64 does not hold all of them


def unchanged(values: np.ndarray) -> Measures:
    """Measures of one span in which both weights are the same; the size is counted elsewhere."""
    if not are_numbers(values.dtype):
        return Measures()
    with np.errstate(all="ignore"):
        squares = sum(_squares(_numbers(values[part])) for part in _parts(values.size))
    return Measures(ours=squares, theirs=squares, product=squares)


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


def _parts(size: int) -> Iterator[slice]:
    for first in range(0, size, _PART):
        yield slice(first, first + _PART)


def _part(ours: np.ndarray, theirs: np.ndarray, first: int, tolerance: Tolerance) -> Measures:
    a, b = _numbers(ours), _numbers(theirs)
    apart = b - a
    moved = apart != 0
    changed = moved if moved.all() else differing(ours, theirs)
    difference, lost, outside = _product(apart, apart), 0, 0
    if not math.isfinite(difference):  # a NaN or an infinity somewhere
        finite = np.isfinite(a) & np.isfinite(b)
        changed = differing(ours, theirs)
        lost = int(np.count_nonzero(np.isfinite(a) & ~finite))
        outside = int(np.count_nonzero(changed & ~finite))
        a, b, apart = (np.where(finite, numbers, 0.0) for numbers in (a, b, apart))
        moved, changed, difference = apart != 0, changed & finite, _product(apart, apart)
    most, least = int(apart.argmax()), int(apart.argmin())
    at = most if apart[most] >= -apart[least] else least
    zero = b == 0
    return Measures(
        a.size,
        int(np.count_nonzero(changed)) + outside,
        outside + int(np.count_nonzero(_are_outside(apart, b, tolerance) if tolerance else moved)),
        int(np.count_nonzero(zero & changed)),
        int(np.count_nonzero(zero)),
        lost,
        abs(float(apart[at])),
        first + at if apart[at] else None,
        difference,
        _product(a, a),
        _product(b, b),
        _product(a, b),
    )


def _are_outside(apart: np.ndarray, b: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    return np.asarray(np.abs(apart) > tolerance.atol + tolerance.rtol * np.abs(b))


def _product(a: np.ndarray, b: np.ndarray) -> float:
    """Of two vectors; unlike NumPy's, einsum starts no threads of its own."""
    return float(np.einsum("i,i->", a, b))


def _squares(values: np.ndarray) -> float:
    total = _product(values, values)
    return total if math.isfinite(total) else _squares(np.where(np.isfinite(values), values, 0.0))


def _numbers(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return values.astype(np.float64) if are_numbers(values.dtype) else np.zeros(values.size)


def _bits(values: np.ndarray) -> np.ndarray:
    """The same bytes in the widest words that fit them."""
    raw = values.view(np.uint8)
    return raw.view(next(f"u{width}" for width in _WORDS if raw.size % width == 0))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""Guess what was done to a weight from its first elements, then check the guess on every element, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import ml_dtypes
import numpy as np

from weightkit.access import is_floating, rounded
from weightkit.compare.equality import differing, is_same

if TYPE_CHECKING:
    from collections.abc import Iterator

_NARROW = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32))
_DIGITS = 17  # enough to distinguish any two numbers of float64
_ENOUGH = 4096
"""Elements of 4 or 8 bytes that leave only a few numbers to try; of 2-byte elements, all are needed."""
_FEW = 2
_FEW_OF_NARROW = 4
"""Elements of 2 bytes that must agree: by chance, one in a thousand fits a factor."""


class Hypothesis(Protocol):
    """What may have been done to a weight."""

    @property
    def text(self) -> str:
        """In words: ``scaled by 0.5``."""

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Apply it to values, in the type in which it computes."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Every element times a factor."""

    factor: np.floating[Any]

    @property
    def text(self) -> str:
        """``sign flipped`` for a factor of -1."""
        return "sign flipped" if self.factor == -1 else f"scaled by {_shown(self.factor)}"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Multiply values by the factor."""
        return np.asarray(values * self.factor)


@dataclass(frozen=True, slots=True)
class Shifted:
    """Every element plus a constant."""

    constant: np.floating[Any]

    @property
    def text(self) -> str:
        """``shifted by`` and the constant."""
        return f"shifted by {_shown(self.constant)}"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Add the constant to values."""
        return np.asarray(values + self.constant)


@dataclass(frozen=True, slots=True)
class Rounded:
    """Every element rounded to another type."""

    to: np.dtype

    @property
    def text(self) -> str:
        """The name of the type."""
        return f"rounded to {self.to}"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Convert values to that type."""
        return rounded(values, self.to)


def guess(ours: np.ndarray, theirs: np.ndarray) -> Hypothesis | None:
    """Guess what turns these elements of the first weight into those of the second; None if nothing known does."""
    if not (is_floating(ours.dtype) and is_floating(theirs.dtype)):
        return None
    with np.errstate(all="ignore"):
        return next((found for found in _candidates(ours, theirs) if holds(found, ours, theirs)), None)


def holds(hypothesis: Hypothesis, ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether it gives exactly these elements; float16 and bfloat16 compute in float32 and are rounded once."""
    with np.errstate(all="ignore"):
        made = rounded(hypothesis(ours.astype(_working(ours.dtype), copy=False)), theirs.dtype)
        # A NaN may come out with other bits; it is a NaN all the same.
        return is_same(made, theirs) or not (differing(made, theirs) & ~(np.isnan(made) & np.isnan(theirs))).any()


def _candidates(ours: np.ndarray, theirs: np.ndarray) -> Iterator[Hypothesis]:
    if ours.dtype != theirs.dtype:
        yield Rounded(theirs.dtype)
    else:
        yield from (Rounded(to) for to in _NARROW if to.itemsize < ours.dtype.itemsize)
    type_ = _working(ours.dtype).type
    is_narrow = min(ours.dtype.itemsize, theirs.dtype.itemsize) == 2  # noqa: PLR2004  # bytes
    used = slice(None) if is_narrow else slice(_ENOUGH)
    a, b, margin = _usable(ours[used], theirs[used])
    few = _FEW_OF_NARROW if is_narrow else _FEW
    # Numbers of one size prove no factor, whatever their signs: two that sum to zero still do so afterwards.
    for bounds, kind, tried in ((_factors, Scaled, np.abs(a)), (_constants, Shifted, a)):
        if _distinct(tried) >= few:
            for number in _between(*bounds(a, b, margin)):
                yield kind(type_(number))


def _working(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float32) if dtype.itemsize <= 4 else dtype.newbyteorder("=")  # noqa: PLR2004  # bytes


def _usable(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of finite nonzero numbers, and how far the second ones may have been rounded."""
    wide = ours.dtype if ours.dtype.itemsize > 8 else np.dtype(np.float64)  # noqa: PLR2004  # bytes
    a, b = ours.astype(wide), theirs.astype(wide)
    kept = np.isfinite(a) & np.isfinite(b) & (a != 0) & (b != 0)
    b = b[kept]
    held = ml_dtypes.finfo(theirs.dtype)
    fraction, smallest = int(held.nmant), float(held.smallest_subnormal) / 2
    _, exponent = np.frexp(b)
    # `frexp` gives mantissas below 1, so half a unit in the last place has this exponent.
    return a[kept], b, np.maximum(np.ldexp(np.ones_like(b), exponent - fraction - 2), smallest)


def _distinct(values: np.ndarray) -> int:
    """How many different numbers there are, counted up to a limit."""
    return len(np.unique(values[:64])) if values.size else 0


def _factors(a: np.ndarray, b: np.ndarray, margin: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest factor that give every element after rounding."""
    ratio, slack = b / a, margin / np.abs(a)
    return float((ratio - slack).max()), float((ratio + slack).min())


def _constants(a: np.ndarray, b: np.ndarray, margin: np.ndarray) -> tuple[float, float]:
    """The same for a constant that was added."""
    return float((b - a - margin).max()), float((b - a + margin).min())


def _between(least: float, greatest: float) -> Iterator[float]:
    """Numbers to try: the one with the fewest digits, the middle, and its neighbors.

    The bounds are computed in float64 and may be off by its rounding, and by that of a product in float32.
    """
    middle = (least + greatest) / 2
    slack = abs(middle) * 2.0**-22
    if not (np.isfinite(middle) and least <= greatest + slack):
        return
    short = (float(f"{middle:.{digits}e}") for digits in range(_DIGITS))
    low, high = min(least, middle - slack), max(greatest, middle + slack)
    yield from dict.fromkeys((next((number for number in short if low <= number <= high), middle), middle))
    for type_ in (np.float32, np.float64):
        near = type_(middle)
        for way in (np.inf, -np.inf):
            yield float(np.nextafter(near, type_(way)))


def _shown(number: np.floating[Any]) -> str:
    """With the fewest digits that distinguish it from its neighbors."""
    return np.format_float_positional(number, trim="-") if 1e-4 <= abs(number) < 1e6 else str(number)  # noqa: PLR2004

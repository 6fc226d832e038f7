"""Recognize a weight whose elements are all still there: mirrored, transposed, permuted, or with other signs.

Everything that is told is confirmed on every element, bit for bit.
"""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np

from weightkit.compare.equality import are_integers

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBE = 64
"""Elements that are compared first: nearly every guess is wrong."""
_FIRST, _FEW = 4096, 2
"""Among the first so many elements there are more than two values: zeros and ones are rearranged by chance."""
_MOST_AXES = 5
"""Of five axes there are 120 orders."""
_BLOCK = 1 << 20
"""Elements that are hashed at a time."""
_SEED = 7


def rearrangement(ours: np.ndarray, theirs: np.ndarray) -> str:
    """What turns the first array into the second, in words; empty if no such thing does.

    Args:
        ours: The first array, in its shape, of 1, 2, 4 or 8 bytes an element.
        theirs: The second, of the same type and as many elements.
    """
    a, b = (values.view(f"u{values.dtype.itemsize}") for values in (ours, theirs))
    if a.ndim > _MOST_AXES or b.ndim != a.ndim or len(np.unique(a.flat[:_FIRST])) <= _FEW:
        return ""
    told = next((words for words, found in _views(a, b.shape) if _is_same(found, b)), "")
    return told or _signs(ours, theirs) or _permuted(a, b)


def _views(a: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """The array mirrored and transposed in every way that gives a shape; none costs a copy."""
    if a.shape == shape:
        for count in range(1, a.ndim + 1):
            for axes in combinations(range(a.ndim), count):
                yield f"mirrored along {_named(axes)}", np.flip(a, axes)
    for order in permutations(range(a.ndim)):
        if order != tuple(range(a.ndim)) and tuple(a.shape[axis] for axis in order) == shape:
            words = "transposed" if a.ndim == 2 else f"transposed, axes in the order {', '.join(map(str, order))}"  # noqa: PLR2004
            yield words, a.transpose(order)


def _is_same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a.flat[:_PROBE], b.flat[:_PROBE]) and np.array_equal(a, b)


def _signs(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Elements that have the other sign, where nothing else changed."""
    if ours.shape != theirs.shape or are_integers(ours.dtype):
        return ""
    word = f"u{ours.dtype.itemsize}"
    flipped = ours.view(word) != theirs.view(word)
    made = np.where(flipped, -ours, ours)
    return (
        f"with {np.count_nonzero(flipped)} signs flipped" if np.array_equal(made.view(word), theirs.view(word)) else ""
    )


def _permuted(a: np.ndarray, b: np.ndarray) -> str:
    """Slices along one axis in another order, or along the last two: a layer's inputs and its units."""
    if a.shape != b.shape:
        return ""
    for axis in range(a.ndim):
        first, second = (np.moveaxis(each, axis, 0) for each in (a, b))
        orders = [np.argsort(_hashed(each), kind="stable") for each in (first, second)]
        if np.array_equal(first[orders[0]], second[orders[1]]):
            return f"permuted along {_named((axis,))}" if a.ndim > 1 else "permuted"
    if a.ndim > 1 and _is_permuted_twice(*(np.moveaxis(each, (-2, -1), (0, 1)) for each in (a, b))):
        return f"permuted along {_named((a.ndim - 2, a.ndim - 1))}"
    return ""


def _is_permuted_twice(a: np.ndarray, b: np.ndarray) -> bool:
    sorted_ = []
    for each in (a, b):
        elements = _mixed(_hashed(each.reshape(-1, *each.shape[2:])).reshape(each.shape[:2]))
        # Sums do not depend on the order along the other axis.
        rows, columns = (np.argsort(elements.sum(axis=axis), kind="stable") for axis in (1, 0))
        sorted_.append(each[rows][:, columns])
    first, second = sorted_
    return np.array_equal(first, second)


def _hashed(slices: np.ndarray) -> np.ndarray:
    """A number for each slice along the first axis, the same for equal slices."""
    if slices.ndim == 1:
        return slices
    rows = slices.reshape(len(slices), -1)
    factors = np.random.default_rng(_SEED).integers(1, 1 << 63, rows.shape[1], np.uint64) | np.uint64(1)
    found = np.empty(len(rows), np.uint64)
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for first in range(0, len(rows), step):
        part = rows[first : first + step].astype(np.uint64)
        found[first : first + step] = (_mixed(part) * factors).sum(axis=1, dtype=np.uint64)
    return found


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers whose sums tell sets apart (the finalizer of SplitMix64, Steele, Lea & Flood 2014)."""
    z = numbers.astype(np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _named(axes: tuple[int, ...]) -> str:
    if len(axes) == 1:
        return f"axis {axes[0]}"
    return f"axes {', '.join(map(str, axes[:-1]))} and {axes[-1]}"

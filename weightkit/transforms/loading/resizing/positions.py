"""Learned position embeddings for another length or another grid, interpolated.

Position i of n stands for the middle of the i-th of n equal parts, so new position j lies at (j + 1/2) old / new - 1/2,
clamped to the first and last: as ``tf.image.resize`` and the resizing of vision transformers in timm and Hugging Face
(``align_corners=False``), linear along each axis and without antialiasing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.transforms.loading.conversion import Conversion

Layout = Literal["sequence", "grid"]
"""``sequence``: positions in a row; ``grid``: the patches of a square image, after a class token if there is one."""


def interpolated(table: Conversion, count: int, layout: Layout) -> Conversion:
    """Position embeddings for another number of positions.

    Args:
        table: Of shape (positions, width) or (1, positions, width).
        count: Positions of the result; with a grid, a square number, or one more where there is a class token.
        layout: What the positions are.

    Raises:
        RequestError: A grid's number of positions is not that of a square with or without a class token, or only one
            of the two numbers has the token.
    """
    *leading, before, width = table.shape
    shape = (*leading, count, width)
    if layout == "sequence":
        step = f"{before} positions interpolated to {count}"
        return table.then(step, shape, lambda values: _along(values.reshape(before, width), 0, count).reshape(shape))
    sides, token = _sides(before, count)
    step = f"grid of {sides[0]}x{sides[0]} positions interpolated to {sides[1]}x{sides[1]}"

    def on_grid(values: np.ndarray) -> np.ndarray:
        rows = values.reshape(before, width)
        grid = _along(rows[token:].reshape(sides[0], sides[0], width), 0, sides[1])
        grid = _along(grid, 1, sides[1]).reshape(-1, width)
        return np.concatenate([rows[:token], grid]).reshape(shape)

    return table.then(f"{step}, class token kept" if token else step, shape, on_grid)


def is_grid(before: int, after: int) -> bool:
    """Whether both numbers are those of square grids, both with or both without a class token."""
    return any(_side(before - token) and _side(after - token) for token in (0, 1))


def _sides(before: int, after: int) -> tuple[tuple[int, int], int]:
    """The sides of both grids, and how many tokens stand before them."""
    for token in (1, 0):
        first, second = _side(before - token), _side(after - token)
        if first and second:
            return (first, second), token
    raise RequestError(
        f"a grid must have a square number of positions, or one more with a class token, got {before} and {after}",
        hint="give positions='sequence'",
    )


def _side(count: int) -> int:
    """The side of a square of so many; 0 where it is none."""
    side = math.isqrt(max(count, 0))
    return side if side * side == count else 0


def _along(values: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Values interpolated to ``count`` along an axis, in float64 and rounded once."""
    before = values.shape[axis]
    places = np.clip((np.arange(count) + 0.5) * (before / count) - 0.5, 0, before - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, before - 1)
    share = (places - low).reshape([-1 if place == axis else 1 for place in range(values.ndim)])
    first, second = (np.take(values, index, axis).astype(np.float64) for index in (low, high))
    result: np.ndarray = first * (1 - share) + second * share
    return result.astype(values.dtype)

"""Tables of vectors with more or fewer rows: vocabularies of embeddings.

Rows that both have are kept. New ones are the mean of the old (Hewitt 2021, "Initializing New Word Embeddings for
Pretrained Language Models": their logits then stay below those of known words), zeros, or drawn by an initializer with
the numbers that ``reinitialize`` draws for these rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.errors import RequestError
from weightkit.transforms.initializers import Draws, get

if TYPE_CHECKING:
    from weightkit.transforms.initializers import Initializer
    from weightkit.transforms.loading.conversion import Conversion


def with_rows(
    table: Conversion, count: int, new_rows: object = "mean", draws: Draws | None = None, axis: int = 0
) -> Conversion:
    """A table with another number of rows.

    Args:
        table: Of shape (rows, width), or (width, rows) with ``axis`` 1.
        count: How many rows it gets: the first ones stay.
        new_rows: ``mean``, ``zeros``, or any initializer that ``reinitialize`` takes.
        draws: The random numbers of the target's weight; needed for an initializer that draws.
        axis: Which axis counts the rows.

    Raises:
        RequestError: ``new_rows`` is none of these, or no ``draws`` were given for an initializer.
    """
    shape = tuple(count if place == axis else size for place, size in enumerate(table.shape))
    before = table.shape[axis]
    if count <= before:
        kept = slice(count)
        step = f"first {count} of {before} rows kept"
        return table.then(step, shape, lambda values: values[kept] if axis == 0 else values[:, kept])
    if draws is None and new_rows not in ("mean", "zeros"):
        raise RequestError(
            f"new rows of {new_rows!r} need a seed", hint="give resizing=Resizing(..., seed=7) (--seed 7)"
        )
    initializer = None if new_rows == "mean" else get(new_rows)
    if initializer is not None and (objection := initializer.objection(shape)):
        raise RequestError(f"new rows cannot be those of {new_rows!r}: {objection}")
    numbers = draws or Draws(0, "")  # zeros are not drawn
    how = "the mean of the old" if initializer is None else f"{initializer!r}"

    def extend(values: np.ndarray) -> np.ndarray:
        if initializer is None:
            mean = values.mean(axis=axis, dtype=np.float64, keepdims=True)
            added = np.repeat(mean, count - before, axis=axis)
        else:
            whole = _drawn(initializer, shape, numbers, before if axis == 0 else 0)
            added = np.take(whole, range(before, count), axis)
        return np.concatenate([values, added.astype(values.dtype)], axis=axis)

    return table.then(f"{before} rows made {count}: new ones are {how}", shape, extend)


def _drawn(initializer: Initializer, shape: tuple[int, ...], draws: Draws, first_row: int) -> np.ndarray:
    """The whole table; rows before ``first_row`` may hold anything."""
    size = int(np.prod(shape))
    start = first_row * shape[1] if initializer.elementwise else 0
    values = np.zeros(size)
    values[start:] = initializer(shape, draws, start, size)
    return values.reshape(shape)

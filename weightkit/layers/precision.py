"""Sums of squares that neither overflow in half precision nor have no gradient at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-30
"""A square below which a length counts as zero; in float32 too."""


def at_least_float32(values: Any) -> Any:
    """Half precision as float32; others as they are: 300 squared is no number in float16."""
    return values if str(values.dtype).endswith(("float32", "float64")) else ops.cast(values, "float32")


def beyond_float16(values: Any) -> Any:
    """float16 as float32; others as they are: products of three factors leave its range soon, sums of them give NaN."""
    return ops.cast(values, "float32") if keras.backend.standardize_dtype(values.dtype) == "float16" else values


def lengths(values: Any, axis: int | Sequence[int]) -> Any:
    """Euclidean lengths along some axes, which stay with size 1; the gradient at zero is zero, not NaN."""
    squares = ops.sum(ops.square(values), axis=axis, keepdims=True)
    return ops.sqrt(ops.maximum(squares, _TINY))


def unit(values: Any, axis: int) -> Any:
    """Vectors of length 1 along an axis; zeros stay zeros."""
    return values / lengths(values, axis)

"""Computing in the precision that was asked for, without overflow in a narrower one or NaN at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-30
"""Added to squares of lengths: far below what float32 resolves beside any length that is not zero."""


def at_least_float32(values: Any) -> Any:
    """Half precision as float32; others as they are: 300 squared is no number in float16."""
    wide = keras.backend.standardize_dtype(values.dtype) in {"float32", "float64"}
    return values if wide else ops.cast(values, "float32")


def beyond_float16(values: Any) -> Any:
    """float16 as float32; others as they are: products of three factors leave its range soon, sums of them give NaN."""
    return ops.cast(values, "float32") if keras.backend.standardize_dtype(values.dtype) == "float16" else values


def matmul(first: Any, second: Any) -> Any:
    """Matrix product, of float64 in float64: that of Keras 3.15 on PyTorch and JAX may compute it in float32."""
    if keras.backend.standardize_dtype(first.dtype) != "float64":
        return ops.matmul(first, second)
    return ops.convert_to_tensor(first) @ ops.convert_to_tensor(second)


def lengths(values: Any, axis: int | Sequence[int]) -> Any:
    """Euclidean lengths along some axes, which stay with size 1; the gradient at zero is zero, not NaN."""
    squares = ops.sum(ops.square(values), axis=axis, keepdims=True)
    return ops.sqrt(squares + _TINY)  # `ops.maximum` of Keras 3.15 on PyTorch makes float32 of float64


def unit(values: Any, axis: int) -> Any:
    """Vectors of length 1 along an axis; zeros stay zeros."""
    return values / lengths(values, axis)

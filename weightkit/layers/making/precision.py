"""Precision of computations: no overflow in half precision, no NaN at zero, no casts of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops
from keras.src.backend.common.variables import AutocastScope

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-30
"""Added to squared lengths: too small to change any float32 length that is not zero."""


def no_autocast() -> Any:
    """A scope in which variables have their own dtype.

    Norms and power iterations run in it, so that mixed precision rounds a computed weight once, as it rounds a plain
    one. Keras 3.15 has no public name for this scope, and ``autocast=False`` has no effect on a layer that is called by
    itself.
    """
    return AutocastScope(None)


def at_least_float32(values: Any) -> Any:
    """Cast half precision to float32, and leave other dtypes: 300 squared overflows float16."""
    wide = keras.backend.standardize_dtype(values.dtype) in {"float32", "float64"}
    return values if wide else ops.cast(values, "float32")


def beyond_float16(values: Any) -> Any:
    """Cast float16 to float32, and leave other dtypes: products of three factors overflow, and their sums are NaN."""
    return ops.cast(values, "float32") if keras.backend.standardize_dtype(values.dtype) == "float16" else values


def matmul(first: Any, second: Any) -> Any:
    """Matrix product, in float64 for float64: `ops.matmul` of Keras 3.15 may use float32 on PyTorch and JAX."""
    if keras.backend.standardize_dtype(first.dtype) != "float64":
        return ops.matmul(first, second)
    return ops.convert_to_tensor(first) @ ops.convert_to_tensor(second)


def lengths(values: Any, axis: int | Sequence[int]) -> Any:
    """Euclidean lengths along some axes, kept with size 1; the gradient at zero is zero, not NaN."""
    squares = ops.sum(ops.square(values), axis=axis, keepdims=True)
    return ops.sqrt(squares + _TINY)  # `ops.maximum` of Keras 3.15 on PyTorch returns float32 for float64


def unit(values: Any, axis: int) -> Any:
    """Vectors of length 1 along an axis; zeros stay zeros."""
    return values / lengths(values, axis)

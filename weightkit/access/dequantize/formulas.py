"""How Keras 3.15 computes real numbers from stored ones, in NumPy and float32."""

from __future__ import annotations

import ml_dtypes
import numpy as np

_FLOAT8 = np.dtype(ml_dtypes.float8_e4m3fn)


def unpacked_int4(packed: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Two 4-bit integers from each byte, the low half first, as `keras.quantizers.unpack_int4`.

    Args:
        packed: int8 for integers from -8 to 7, uint8 for those from 0 to 15; two-dimensional.
        length: How many there are along the axis, without the padding of an odd number.
        axis: The axis along which they were packed.
    """
    low, high = packed & 0x0F, (packed >> 4) & 0x0F
    halves = np.stack((low, high), axis=axis + 1).reshape(
        [size * 2 if place == axis else size for place, size in enumerate(packed.shape)]
    )
    kept: np.ndarray = np.take(halves, range(length), axis=axis) if halves.shape[axis] != length else halves
    return (kept ^ 8) - 8 if packed.dtype == np.int8 else kept


def by_scale(integers: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Integers over their scales: int8, and int4 with one scale for each output (or row of an embedding)."""
    with np.errstate(all="ignore"):
        return np.asarray(integers.astype(np.float32) / scale.astype(np.float32))


def by_zero_point(integers: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """``(integer - zero point) * scale``: int4 in blocks, GPTQ and AWQ."""
    with np.errstate(all="ignore"):
        return np.asarray((integers.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32))


def through_float8(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Real numbers as a float8 layer rounds them on each call, as `keras.quantizers.quantize_and_dequantize`."""
    most = np.float32(ml_dtypes.finfo(_FLOAT8).max)
    with np.errstate(all="ignore"):
        scaled = values.astype(np.float32) / scale.astype(np.float32)
        return np.asarray(np.clip(scaled, -most, most).astype(_FLOAT8).astype(np.float32) * scale.astype(np.float32))

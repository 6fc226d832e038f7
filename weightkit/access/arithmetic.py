"""The numbers of an edit: in which type a transform computes, and what it may not produce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from weightkit.access.plan import Transform
    from weightkit.access.ref import WeightRef

_NARROW = {np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)}


@dataclass(frozen=True, slots=True)
class NonFinite:
    """How many elements became NaN or infinite that were finite before."""

    nans: int = 0
    infinities: int = 0

    def __add__(self, other: NonFinite) -> NonFinite:
        return NonFinite(self.nans + other.nans, self.infinities + other.infinities)

    def __bool__(self) -> bool:
        return bool(self.nans or self.infinities)


def is_floating(dtype: np.dtype) -> bool:
    """Whether values of this type are real numbers, bfloat16 included."""
    return dtype.kind == "f" or dtype == ml_dtypes.bfloat16


def transformed(transform: Transform, ref: WeightRef, values: np.ndarray, span: slice) -> np.ndarray:
    """The transform of some elements, in the weight's own type and byte order.

    float16 and bfloat16 are computed in float32 and rounded once: in their own type, ``* 0.1`` would carry the
    rounding error of 0.1 itself into every weight.
    """
    native = values.dtype.newbyteorder("=")
    working = np.dtype(np.float32) if native in _NARROW else native
    given = values.astype(working, copy=False)
    given.flags.writeable = False
    with np.errstate(all="ignore"):  # new infinities are counted, not warned of
        return transform(ref, given, span).astype(ref.dtype, copy=False)


def new_nonfinite(before: np.ndarray, after: np.ndarray) -> NonFinite:
    """Count what is finite before and not after."""
    if not is_floating(after.dtype):
        return NonFinite()
    finite = np.isfinite(after)
    if finite.all():
        return NonFinite()
    lost = ~finite & np.isfinite(before)
    nans = int(np.count_nonzero(lost & np.isnan(after)))
    return NonFinite(nans, int(np.count_nonzero(lost)) - nans)

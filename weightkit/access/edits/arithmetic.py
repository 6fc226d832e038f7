"""The numbers of an edit: in which type a transform computes, and what it must not produce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from weightkit.access.edits.transform import Transform
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
    # It may be a variable's own memory, which a transform must not write to.
    given.flags.writeable = False
    with np.errstate(all="ignore"):  # new infinities are counted, without a warning
        return rounded(transform(ref, given, span), transform.dtype(ref))


def rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in another type, each rounded once to the nearest, ties to even."""
    # ml_dtypes converts by way of float32, which would round twice.
    if values.dtype == np.float64 and dtype == ml_dtypes.bfloat16:
        values = _to_odd(values)
    return values.astype(dtype, copy=False)


def _to_odd(values: np.ndarray) -> np.ndarray:
    """float64 as float32, with inexact results made odd, so that rounding them again equals rounding once.

    Boldo & Melquiond 2008, IEEE Transactions on Computers 57(4), "Emulation of FMA and correctly rounded sums".
    """
    near = values.astype(np.float32)
    inexact = np.isfinite(near) & (near.astype(np.float64) != values)
    bits = near.view(np.uint32)
    # One step toward zero: the bits of a float count up with its magnitude, whatever its sign.
    bits[inexact & (np.abs(near.astype(np.float64)) > np.abs(values))] -= 1
    bits[inexact] |= 1
    return near


@dataclass(frozen=True, slots=True)
class Losses:
    """What elements lost in an edit."""

    nonfinite: NonFinite = NonFinite()
    zeros: int = 0
    """Elements that became zero only because their new type is narrower."""
    inexact: int = 0
    """Elements that the new type cannot hold exactly."""

    def __add__(self, other: Losses) -> Losses:
        return Losses(self.nonfinite + other.nonfinite, self.zeros + other.zeros, self.inexact + other.inexact)

    def __bool__(self) -> bool:
        return bool(self.nonfinite or self.zeros or self.inexact)


def losses(before: np.ndarray, after: np.ndarray) -> Losses:
    """Count what an edit lost; zeros and inexact elements only if it changed the type."""
    nonfinite = new_nonfinite(before, after)
    if before.dtype == after.dtype:
        return Losses(nonfinite)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        # float64 holds every value of the other floating-point types.
        back, exact = after.astype(np.float64), before.astype(np.float64)
        zeros = np.count_nonzero((back == 0) & (exact != 0))
        inexact = np.count_nonzero((back != exact) & np.isfinite(back) & np.isfinite(exact))
    return Losses(nonfinite, int(zeros), int(inexact))


def new_nonfinite(before: np.ndarray, after: np.ndarray) -> NonFinite:
    """Count elements that are finite before and not after."""
    if not is_floating(after.dtype):
        return NonFinite()
    if after.dtype.kind == "f" and np.isfinite(after).all():  # nearly always, and there are millions of weights
        return NonFinite()
    with np.errstate(invalid="ignore"):  # ml_dtypes 0.5 warns of signalling NaNs
        finite = np.isfinite(after)
        if finite.all():
            return NonFinite()
        lost = ~finite & np.isfinite(before)
        nans = int(np.count_nonzero(lost & np.isnan(after)))
    return NonFinite(nans, int(np.count_nonzero(lost)) - nans)

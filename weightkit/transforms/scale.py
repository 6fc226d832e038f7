"""Multiply weights by a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access import ALL, Kind, Transform, edit, is_floating
from weightkit.errors import RequestError

if TYPE_CHECKING:
    import os

    from weightkit.access import Report, Target, WeightRef, Where

_NEVER = {
    Kind.OPTIMIZER: "it is optimizer state, which includes the step count and the learning rate",
    Kind.QUANTIZATION: "it belongs to a quantized layer, whose integers and scales cannot be scaled separately",
}


@dataclass(frozen=True, slots=True)
class Scale(Transform):
    """Multiply every element of a weight by a number.

    float32 and float64 give exactly NumPy's ``values * factor`` in that type; float16 and bfloat16 are computed
    in float32 and rounded once.

    Args:
        factor: Any finite number. 0 is allowed, and makes every selected weight zero.

    Raises:
        RequestError: The factor is not a finite number.

    Example:
        >>> from weightkit import Scale
        >>> Scale(0.5)
        Scale(0.5)
    """

    factor: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", _finite(self.factor))

    def __repr__(self) -> str:
        return f"Scale({self.factor!r})"

    @property
    def reads_models(self) -> bool:
        """False."""
        return False

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be scaled; empty if it can.

        Raises:
            RequestError: The factor becomes zero or infinite in the dtype of the computation.
        """
        if ref.kind in _NEVER:
            return _NEVER[ref.kind]
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype_text}, and only floating-point numbers can be scaled"
        self._require_kept_in(np.dtype(np.float64 if ref.dtype.itemsize == 8 else np.float32), ref)  # noqa: PLR2004
        return ""

    def notes(self) -> tuple[str, ...]:
        """A warning for a factor of 0."""
        return () if self.factor else ("the factor is 0: every selected weight becomes zero",)

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """``values * factor``, with the factor first rounded to the dtype of the values."""
        scaled: np.ndarray = values * values.dtype.type(self.factor)
        return scaled

    def _require_kept_in(self, dtype: np.dtype, ref: WeightRef) -> None:
        """Refuse the whole edit: scaling only weights of a wider dtype would leave a half-scaled model."""
        with np.errstate(all="ignore"):
            rounded = float(dtype.type(self.factor))
        # A tiny factor becomes zero in float32, which would erase the weights.
        if math.isinf(rounded) or (rounded == 0) != (self.factor == 0):
            raise RequestError(
                f"factor must stay finite and nonzero in {dtype}, in which {ref.path} is computed, got "
                f"{self.factor!r}, which becomes {rounded!r}",
                hint="give another factor",
            )


def scale(
    target: Target,
    factor: float,
    where: Where = None,
    exclude: Where = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Multiply weights by a number: ``edit(target, Scale(factor))``.

    ``factor`` is any finite number; 0 makes every selected weight zero. Without ``where``, all parameters are scaled.
    The other arguments are those of `edit`.

    Raises:
        WeightkitError: As `Scale` and `edit` do.

    Example:
        >>> scale("model.h5", 0.5, where="encoder").backup  # doctest: +SKIP
    """
    return edit(
        target,
        Scale(factor),
        where,
        exclude,
        output=output,
        overwrite=overwrite,
        backup=backup,
        break_links=break_links,
        verify=verify,
        like=like,
        allow_nonfinite=allow_nonfinite,
        dry_run=dry_run,
    )


def _finite(factor: object) -> float:
    if isinstance(factor, bool) or not isinstance(factor, int | float | np.floating | np.integer):
        raise RequestError(f"factor must be a finite number, got {factor!r}", hint="give one, such as 0.5")
    number = _as_float(factor)
    if not math.isfinite(number):
        raise RequestError(f"factor must be a finite number, got {number!r}", hint="give one, such as 0.5")
    return number


def _as_float(factor: float | np.floating | np.integer) -> float:
    try:
        return float(factor)
    except OverflowError:  # a Python integer, which has no bounds
        return math.inf if factor > 0 else -math.inf

"""Compare the weights of two stores: what each has, what differs and how far, and what happened."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

from weightkit.access import both_opened
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access import By, Target, Where
    from weightkit.compare.result import Diff


def diff(
    a: Target,
    b: Target,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    where: Where = None,
    exclude: Where = None,
    match: By = "auto",
    progress: Callable[[int], None] | None = None,
) -> Diff:
    """Compare two stores of weights, of any formats, element by element.

    Weights are matched by name where all names agree, else by structure. Two elements are equal where their bits
    are, and close where ``abs(a - b) <= atol + rtol * abs(b)``. Values stream through memory, however large the
    files.

    Args:
        a: The first: a path; a model, a layer or a list of variables of Keras 3; or an open store.
        b: The second.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        where: Which weights: one or more selections; a pair is compared if either weight is selected.
        exclude: Which of the selected weights to leave out.
        match: How to match weights: ``name``, ``structure``, ``order`` or ``shape``; ``auto`` takes the first of these
            that decides, but prefers renamed layers with the same values to order and shape.
        progress: Called with the bytes of ``a`` that are done, as they are done.

    Returns:
        What differs: ``equal`` is true if nothing does. Printing it shows the changed weights.

    Raises:
        RequestError: A tolerance is not a finite number >= 0, or the weights cannot be matched.
        SelectionError: The selection is malformed, or selects nothing.
        RefusedError: A file is damaged, unsafe, or has no Keras weights.

    Example:
        >>> from weightkit import diff
        >>> print(diff("before.h5", "after.h5"))  # doctest: +SKIP
    """
    for name, value in (("rtol", rtol), ("atol", atol)):
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not is_number or not 0 <= value < float("inf"):
            raise RequestError(f"{name} must be a finite number >= 0, got {value!r}", hint="give one, such as 1e-6")
    with both_opened(a, b) as (ours, theirs):
        from weightkit.compare.measures import Tolerance  # noqa: PLC0415
        from weightkit.compare.weight_diffs import compared  # noqa: PLC0415  # NumPy, after the reading processes start

        return compared(ours, theirs, Tolerance(rtol, atol), where=where, exclude=exclude, by=match, progress=progress)

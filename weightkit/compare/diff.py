"""Compare the weights of two stores: what is where, what differs and how far, and what happened."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from weightkit.access import By, WeightStore, Where
    from weightkit.compare.result import Diff


def diff(
    a: str | os.PathLike[str] | WeightStore,
    b: str | os.PathLike[str] | WeightStore,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    where: Where = None,
    exclude: Where = None,
    match: By = "auto",
    progress: Callable[[int], None] | None = None,
) -> Diff:
    """Compare two stores of weights, of whatever formats, element by element.

    Weights are matched by name where all names agree, else by structure. Two elements are equal where their bits
    are, and close where ``abs(a - b) <= atol + rtol * abs(b)``. Values stream through memory once, however large
    the files.

    Args:
        a: The first: a path, or an open store.
        b: The second.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        where: Which weights: a selection or several; a pair is compared where either of it is selected.
        exclude: Which of them not.
        match: ``name`` or ``structure`` settles how weights are matched.
        progress: Called with the bytes of ``a`` that are done, as they are done.

    Returns:
        What differs; true where anything does. Printing it shows the changed weights.

    Raises:
        RequestError: A tolerance is no number of zero or more, or the weights cannot be matched.
        SelectionError: The selection is malformed, or chooses nothing.
        RefusedError: A file is damaged, unsafe, or holds no Keras weights.

    Example:
        >>> from weightkit import diff
        >>> print(diff("before.h5", "after.h5"))  # doctest: +SKIP
    """
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not 0 <= value < float("inf"):
            raise RequestError(f"{name} is {value!r}", hint="give a finite number of zero or more")
    with contextlib.ExitStack() as opened:
        ours, theirs = (opened.enter_context(_store(target)) for target in (a, b))
        from weightkit.compare.measures import Tolerance  # noqa: PLC0415
        from weightkit.compare.weight_diffs import compared  # noqa: PLC0415  # NumPy, after the reading processes start

        return compared(ours, theirs, Tolerance(rtol, atol), where=where, exclude=exclude, by=match, progress=progress)


def _store(target: Any) -> contextlib.AbstractContextManager[WeightStore]:
    """An open store stays its owner's to close."""
    if hasattr(target, "editing") and hasattr(target, "read"):
        return contextlib.nullcontext(target)
    from weightkit.access import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    store: contextlib.AbstractContextManager[WeightStore] = open_weights(target)
    return store

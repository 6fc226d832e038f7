"""Run linear algebra on one thread: with several, the last digits of a result depend on how many there are."""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# OpenBLAS in wheels of NumPy 2, in those of NumPy 1.26, and of a distribution.
_NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A context in which NumPy's OpenBLAS has one thread; nothing changes where NumPy has another library."""
    found = _functions()
    if found is None:
        yield
        return
    get, set_ = found
    before = int(get())
    set_(1)
    try:
        yield
    finally:
        set_(before)


def _functions() -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer] | None:
    """What gives the number of threads, and what sets it; looked up where NumPy's own linear algebra finds them."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)  # noqa: SLF001  # there is no public way to it
    except (AttributeError, OSError):
        return None
    for name in _NAMES:
        with contextlib.suppress(AttributeError):
            return library[name.format("get")], library[name.format("set")]
    return None

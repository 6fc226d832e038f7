"""Run linear algebra on one thread: with several, the last digits of a result depend on how many there are."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# OpenBLAS in wheels of NumPy 2, in those of NumPy 1.26, and of a distribution.
_NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


_LOCK = threading.Lock()
_inside = _before = 0
"""How many contexts are open, and how many threads there were before the first of them."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A context in which NumPy's OpenBLAS has one thread; nothing changes where NumPy has another library.

    The number is that of the process: of contexts that overlap in several threads, the last one restores it.
    """
    found = _functions()
    if found is None:
        yield
        return
    _enter(*found)
    try:
        yield
    finally:
        _leave(found[1])


def _enter(get: ctypes._NamedFuncPointer, set_: ctypes._NamedFuncPointer) -> None:
    global _inside, _before  # noqa: PLW0603  # as the number itself is
    with _LOCK:
        if not _inside:
            _before = int(get())
            set_(1)
        _inside += 1


def _leave(set_: ctypes._NamedFuncPointer) -> None:
    global _inside  # noqa: PLW0603  # as the number itself is
    with _LOCK:
        _inside -= 1
        if not _inside:
            set_(_before)


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

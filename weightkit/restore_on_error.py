"""Do something completely or not at all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def restore_on_error(restore: Callable[[], object]) -> Iterator[None]:
    """Call ``restore`` if the block raises, then raise the error again.

    Ctrl-C (``KeyboardInterrupt``) counts as an error.

    Example:
        >>> values = [1]
        >>> with restore_on_error(values.clear):
        ...     raise ValueError("it failed")
        Traceback (most recent call last):
        ValueError: it failed
        >>> values
        []
    """
    try:
        yield
    except BaseException:
        restore()
        raise

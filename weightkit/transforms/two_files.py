"""Tell that a source is another file than the target."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from weightkit.access import FileStore
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access import Target


def require_two_files(target: Target, source: Target, what: str = "target") -> None:
    """Refuse a file as the source of itself, under whatever path; anything but files passes.

    Raises:
        RequestError: The two are one file.
    """
    ours, theirs = _path(target), _path(source)
    if ours is None or theirs is None:
        return
    with contextlib.suppress(OSError, ValueError):  # what cannot be found is refused when it is opened
        if ours.samefile(theirs):
            raise RequestError(
                f"source and {what} must be two files, got {theirs} twice", hint="give another source", file=str(ours)
            )


def _path(target: Target) -> Path | None:
    if isinstance(target, FileStore):
        return Path(target.label)
    return Path(target) if isinstance(target, str | os.PathLike) else None

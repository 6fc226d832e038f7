"""Open a file to see what of it is whole: one that opens is read, any other is searched."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from weightkit.access.files.openfile import OpenFile
from weightkit.access.formats.foreign.first_bytes import UNKNOWN
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.access.open import FileOpening
from weightkit.access.salvage.damaged_file import DamagedFile
from weightkit.access.salvage.readable_file import ReadableFile
from weightkit.access.salvage.remains import State
from weightkit.errors import DamagedFileError, RefusedError, UnsupportedFileError

if TYPE_CHECKING:
    import os


def open_for_salvage(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> DamagedFile | ReadableFile:
    """Open a file of weights, damaged or not, and find what of it is whole; close the result.

    Args:
        path: Path of the file.
        limits: What reading it may cost.

    Raises:
        RequestError: There is no such file, or it is a URL.
        RefusedError: It is unsafe, or not a file of weights; or nothing of it was found.
        MachineError: It cannot be opened, or another process is writing it.
    """
    try:
        with contextlib.closing(FileOpening(path, limits=limits, advise=False)) as opening:
            store = opening.store()
    except DamagedFileError as error:
        return _searched(path, limits, error)
    except UnsupportedFileError as error:
        if error.problem != UNKNOWN:
            raise
        return _searched(path, limits, error)
    try:
        store.require_intact()
    except DamagedFileError as error:
        store.close()
        return _searched(path, limits, error)
    return ReadableFile(store)


def _searched(path: str | os.PathLike[str], limits: Limits, error: RefusedError) -> DamagedFile:
    source = OpenFile(path)
    try:
        source.lock(exclusive=False)
    except BaseException:
        source.close()
        raise
    found = DamagedFile(source, limits, error.problem)
    if not any(remnant.state is not State.LOST or remnant.dtype for remnant in found.remnants):
        found.close()
        raise error
    return found

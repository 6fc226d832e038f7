"""Where the HDF5 file of a damaged file is, and whether anything in it is whole."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.hdf5.container import Body
from weightkit.access.salvage.members import LOCAL_SIGNATURE, Salvaged, salvaged_archive
from weightkit.access.salvage.remains import State, each_remnant
from weightkit.access.salvage.structure.survey import has_superblock

if TYPE_CHECKING:
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits


_MOST_SEARCHED = 1 << 30  # bytes: a search for a hint must not take minutes


def archive_in(source: OpenFile, limits: Limits) -> Salvaged | None:
    """The archive that a file is, or was; None if it is HDF5, or nothing that is known."""
    if source.read(0, 4) == LOCAL_SIGNATURE:
        return salvaged_archive(source, limits)
    if has_superblock(Body(source.fd, 0, source.size, source.name)):
        return None
    found = salvaged_archive(source, limits)
    return found if found.body else None


def body_in(source: OpenFile, archive: Salvaged | None) -> Body:
    """The HDF5 file in a file; empty where it was not found."""
    if archive is None:
        return Body(source.fd, 0, source.size, source.name)
    return archive.body or Body(source.fd, 0, 0, source.name)


def finds_any(source: OpenFile, limits: Limits) -> bool:
    """Whether at least one weight in the first gigabyte of a damaged file is whole.

    Raises:
        UnsafeFileError: It makes more work than files of its size do.
        MachineError: The system failed.
    """
    archive = archive_in(source, limits)
    with contextlib.ExitStack() as held:
        if archive and archive.spool:
            held.callback(archive.spool.close)
        body = body_in(source, archive)
        first = replace(body, length=min(body.length, _MOST_SEARCHED))
        return any(remnant.state is State.WHOLE for remnant in each_remnant(first, limits))

"""The hint of an error on a damaged file: the command that rescues what is whole, where anything is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from weightkit.access.files.salvage_hint import with_salvage
from weightkit.access.formats.foreign.first_bytes import UNKNOWN
from weightkit.errors import DamagedFileError, WeightkitError

if TYPE_CHECKING:
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits

_SIGNATURES = (b"\x89HDF\r\n\x1a\n", b"PK\3\4")
_MOST_WRONG = 2  # bytes of a signature


def advised(error: WeightkitError, source: OpenFile, limits: Limits) -> WeightkitError:
    """The error, whose hint ends with the command if that rescues at least one weight."""
    if (isinstance(error, DamagedFileError) or _was_known(error, source)) and _helps(source, limits):
        error.hint = with_salvage(error.hint, source.name)
    return error


def _was_known(error: WeightkitError, source: OpenFile) -> bool:
    """Whether a file of an unknown kind may have lost its first bytes."""
    head = source.read(0, 8)
    near = (sum(a != b for a, b in zip(head, known, strict=False)) <= _MOST_WRONG for known in _SIGNATURES)
    return error.problem == UNKNOWN and len(head) == 8 and (not any(head) or any(near))  # noqa: PLR2004


def _helps(source: OpenFile, limits: Limits) -> bool:
    from weightkit.access.salvage.finding import finds_any  # noqa: PLC0415  # NumPy: few files are damaged

    with contextlib.suppress(WeightkitError, OSError, MemoryError):
        return finds_any(source, limits)
    return False

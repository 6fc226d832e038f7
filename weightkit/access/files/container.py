"""A bare HDF5 file: nothing lies around it, and nothing vouches for its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit.access.files.openfile import OpenFile


@dataclass(frozen=True, slots=True)
class Plain:
    """The container of a file that is HDF5 from its first byte to its last."""

    length: int
    start: int = 0

    def require_intact(self, source: OpenFile) -> None:
        """HDF5 keeps no checksum of contiguous values: there is nothing to check."""

    def seal(self, fd: int) -> None:
        """Nor anything to mend."""

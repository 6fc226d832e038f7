"""What is around an HDF5 file: nothing, or an archive that stores its checksum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Members = Mapping[str, bytes]
"""Members of an archive whose bytes are replaced, by name."""


@dataclass(frozen=True, slots=True)
class Body:
    """Where an HDF5 file is: the open file, the first byte, and the length in bytes."""

    fd: int
    start: int
    length: int
    name: str
    """The file as the user named it."""


class Container(Protocol):
    """A file with an HDF5 file in it."""

    @property
    def body(self) -> Body:
        """The HDF5 file; an unnamed temporary file if it had to be decompressed first."""

    @property
    def holds_body(self) -> bool:
        """Whether the container stores the body uncompressed, so that a copy of the container copies the body."""

    def require_intact(self) -> None:
        """Check the container's checksum of the body, once: before values are handed out, and before an edit."""

    def seal(self, fd: int) -> None:
        """Update the checksum in a copy of the container whose body has been edited."""

    def begin(self, fd: int, members: Members) -> int:
        """Write a new container up to its body; returns where the body starts."""

    def finish(self, fd: int, length: int) -> None:
        """Write what comes after a body of ``length`` bytes."""

    def close(self) -> None:
        """Free what was needed to read the body."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A file that is HDF5 from its first byte to its last."""

    body: Body
    holds_body: bool = True

    def require_intact(self) -> None:
        """HDF5 keeps no checksum of contiguous values: there is nothing to check."""

    def seal(self, fd: int) -> None:
        """There is nothing to repair."""

    def begin(self, fd: int, members: Members) -> int:  # noqa: ARG002  # there is nothing around the body
        """Nothing comes before the body."""
        return 0

    def finish(self, fd: int, length: int) -> None:
        """Nothing comes after the body."""

    def close(self) -> None:
        """There is nothing to free."""

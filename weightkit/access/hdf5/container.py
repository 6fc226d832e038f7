"""What lies around an HDF5 file: nothing, or an archive that keeps a checksum of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Members = Mapping[str, bytes]
"""Members of an archive whose bytes are replaced, by name."""


@dataclass(frozen=True, slots=True)
class Body:
    """Where an HDF5 file lies: in an open file, from a byte on, so many bytes."""

    fd: int
    start: int
    length: int
    name: str
    """The file as the user named it."""


class Container(Protocol):
    """A file with an HDF5 file in it."""

    @property
    def body(self) -> Body:
        """The HDF5 file; in another file, unnamed, where it had to be inflated first."""

    @property
    def holds_body(self) -> bool:
        """Whether the body lies in the container as it is, so that a copy of the container is a copy of it."""

    def require_intact(self) -> None:
        """Check what the container says of the body's bytes, before they are edited."""

    def seal(self, fd: int) -> None:
        """Make a copy of the container right for a body whose values have been edited in it."""

    def begin(self, fd: int, members: Members) -> int:
        """Write a new container up to its body; returns where the body begins."""

    def finish(self, fd: int, length: int) -> None:
        """Write what comes after a body of ``length`` bytes."""

    def close(self) -> None:
        """Free what was taken to read the body."""


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
        """The body is all there is."""
        return 0

    def finish(self, fd: int, length: int) -> None:
        """And nothing comes after it."""

    def close(self) -> None:
        """Nothing was taken."""

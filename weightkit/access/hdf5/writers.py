"""What every way to write an edited file knows and does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weightkit.access.hdf5.index import Index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.hdf5.container import Body, Container
    from weightkit.access.hdf5.index import Dataset
    from weightkit.access.hdf5.placed_sink import PlacedSink
    from weightkit.access.hdf5.scanner import Scanner
    from weightkit.access.ref import WeightRef


class Writer(Protocol):
    """Writes a new file: begin, set values, complete."""

    def begin(self) -> PlacedSink:
        """Write all that does not change; returns where the new values go."""


@dataclass(slots=True)
class Job:
    """What both ways need to know."""

    container: Container
    index: Index
    scanner: Scanner
    fd: int
    changing: Mapping[WeightRef, Dataset]
    label: str
    size: int
    """Bytes of the old file, container and all, when it was opened."""

    @property
    def body(self) -> Body:
        """The old HDF5 file."""
        return self.container.body

    def scan(self, start: int, length: int, *, whole: bool = True) -> Index:
        """What the reading process finds in the new file, whose chunks may be yet to be written."""
        return Index.of(self.scanner.records(self.fd, start, length), length, whole=whole)

    def same(self, start: int, length: int) -> bool:
        """Whether the reading process finds in the new file, byte for byte of its words, what it found in the old one.

        It reads all of the new file's structure. Where its words are the same, what was checked of them holds again;
        else they are heard, checked and compared.
        """
        told = self.index.heard
        return (
            bool(told and self.scanner.digest(self.fd, start, length) == told) or self.scan(start, length) == self.index
        )

"""What the ways to write an edited file share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weightkit.access.hdf5.index import Index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.hdf5.container import Body, Container
    from weightkit.access.hdf5.index import Dataset
    from weightkit.access.hdf5.scanner import Scanner
    from weightkit.access.hdf5.writing.placed_sink import PlacedSink
    from weightkit.access.ref import WeightRef


class Writer(Protocol):
    """Writes a new file: begin, set values, complete."""

    def begin(self) -> PlacedSink:
        """Write everything that does not change; returns the sink for the new values."""


@dataclass(slots=True)
class Job:
    """What every writer needs."""

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
        """The index of the new file; with ``whole=False``, its chunks may not be written yet."""
        return Index.of(self.scanner.records(self.fd, start, length), length, whole=whole)

    def same(self, start: int, length: int) -> bool:
        """Whether the reading process's reply on the new file is, byte for byte, its reply on the old one.

        It reads all of the new file's structure. If the replies are equal, the checks of the first one still hold;
        otherwise the new reply is read, checked and compared.
        """
        told = self.index.reply_digest
        return (
            bool(told and self.scanner.digest(self.fd, start, length) == told) or self.scan(start, length) == self.index
        )

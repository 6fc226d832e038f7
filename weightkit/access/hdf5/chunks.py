"""How a dataset is split into chunks: reported by the reading process, checked here again."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.hdf5.filters import Filter
from weightkit.access.hdf5.index import number
from weightkit.errors import DamagedFileError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.hdf5.container import Body
    from weightkit.access.hdf5.index import Dataset
    from weightkit.access.hdf5.scanner import Scanner

_LARGEST_CHUNK = 256 << 20  # bytes; HDF5 tools make chunks of about a megabyte
_MOST_CHUNKS = 10_000_000  # in one dataset; 600 GB in chunks of 64 KiB
_LARGEST_LEVEL = 9  # of deflate
_HINT = "use another copy of the file"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its first element along each axis, and where its bytes are in the HDF5 file."""

    at: tuple[int, ...]
    mask: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """How a dataset is split into chunks, and where they are."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    filters: tuple[Filter, ...]
    fill: bytes
    """The fill value for chunks that were never written."""
    chunks: tuple[Chunk, ...]

    @classmethod
    def ask(cls, scanner: Scanner, body: Body, dataset: Dataset) -> ChunkTable:
        """Ask the reading process for the chunks of a dataset, and check its answer.

        Raises:
            DamagedFileError: A chunk is outside the file or the dataset, overlaps another, or has invalid filters.
            UnsafeFileError: Chunks are too large or too many, or the reply is invalid.
        """
        request = {"do": "chunks", "start": body.start, "length": body.length, "path": dataset.path}
        try:
            table = cls._of(dataset, *scanner.ask(request, body.fd))
        except (KeyError, TypeError, ValueError) as error:
            raise UnsafeFileError(f"internal error: the HDF5 reader sent an invalid reply: {error!r}") from error
        table.check(dataset, body.length)
        return table

    @classmethod
    def _of(cls, dataset: Dataset, head: dict[str, Any], *rest: dict[str, Any]) -> ChunkTable:
        chunks = (
            Chunk(
                tuple(map(number, record["at"])),
                number(record["mask"]),
                number(record["offset"]),
                number(record["size"]),
            )
            for record in rest
        )
        return cls(
            dataset.shape or (),
            tuple(map(number, head["chunk"])),
            tuple(Filter(name, number(option)) for name, option in head["filters"]),
            bytes.fromhex(head["fill"]),
            tuple(chunks),
        )

    @property
    def possible(self) -> int:
        """How many chunks the dataset can have."""
        return math.prod(-(-axis // step) for axis, step in zip(self.shape, self.chunk, strict=True))

    @property
    def row(self) -> int:
        """Elements of the dataset per index of its first axis."""
        return math.prod(self.shape[1:])

    def places(self, first: int) -> Iterator[tuple[int, ...]]:
        """The first elements of all chunks that start at ``first`` along the first axis, in C order."""
        axes = (range(0, length, step) for length, step in zip(self.shape[1:], self.chunk[1:], strict=True))
        return itertools.product((first,), *axes)

    def inside(self, at: tuple[int, ...]) -> tuple[slice, ...]:
        """The part of the dataset that the chunk at ``at`` covers, relative to its start on the first axis."""
        ends = (min(step, length - first) for first, step, length in zip(at, self.chunk, self.shape, strict=True))
        starts = (0, *at[1:])
        return tuple(slice(start, start + count) for start, count in zip(starts, ends, strict=True))

    def check(self, dataset: Dataset, length: int) -> None:
        """Require that the table is possible for a dataset in an HDF5 file of ``length`` bytes.

        Raises:
            DamagedFileError: It is not possible.
            UnsafeFileError: Its chunks are too large or too many.
            UnsupportedFileError: A filter is applied twice, which no tool does.
        """
        self._check_form(dataset)  # first: the check of the chunks divides by the chunk shape
        self._check_chunks(dataset, length)

    def _check_form(self, dataset: Dataset) -> None:
        dtype = dataset.numpy_dtype
        fits = self.chunk and len(self.chunk) == len(self.shape) and min(self.chunk) > 0
        if dtype is None or not fits or len(self.fill) != dtype.itemsize:
            raise DamagedFileError(f"{dataset.path}: its chunk shape {self.chunk} is invalid", hint=_HINT)
        if math.prod(self.chunk) * dtype.itemsize > _LARGEST_CHUNK:
            raise UnsafeFileError(f"{dataset.path}: a chunk must have at most {_LARGEST_CHUNK} bytes")
        if self.possible > _MOST_CHUNKS:
            raise UnsafeFileError(f"{dataset.path}: it must have at most {_MOST_CHUNKS} chunks")
        if len(set(dataset.filters)) < len(dataset.filters):
            raise UnsupportedFileError(f"{dataset.path}: it applies a filter twice: {', '.join(dataset.filters)}")
        if tuple(step.name for step in self.filters) != dataset.filters or not all(
            _is_possible(step, dtype.itemsize) for step in self.filters
        ):
            raise DamagedFileError(f"{dataset.path}: its filters {self.filters} are invalid", hint=_HINT)

    def _check_chunks(self, dataset: Dataset, length: int) -> None:
        if len({chunk.at for chunk in self.chunks}) != len(self.chunks):
            raise DamagedFileError(f"{dataset.path}: two chunks have the same position", hint=_HINT)
        reach = 0
        for chunk in sorted(self.chunks, key=lambda chunk: chunk.offset):
            if not self._is_place(chunk.at):
                raise DamagedFileError(f"{dataset.path}: a chunk is outside the dataset", hint=_HINT)
            if chunk.offset < 0 or chunk.size < 0 or chunk.offset + chunk.size > length:
                raise DamagedFileError(f"{dataset.path}: a chunk is outside the file", hint=_HINT)
            if chunk.offset < reach:
                raise DamagedFileError(f"{dataset.path}: two chunks overlap in the file", hint=_HINT)
            reach = chunk.offset + chunk.size

    def _is_place(self, at: tuple[int, ...]) -> bool:
        return len(at) == len(self.shape) and all(
            0 <= first < axis and first % step == 0
            for first, axis, step in zip(at, self.shape, self.chunk, strict=True)
        )


def _is_possible(step: Filter, size: int) -> bool:
    """Whether a filter with this option can be decoded and encoded."""
    match step.name:
        case "deflate":
            return 0 <= step.option <= _LARGEST_LEVEL
        case "shuffle":
            return step.option == size
        case _:
            return step.name == "fletcher32"

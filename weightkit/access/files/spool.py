"""Values that do not lie in one piece in a file, laid out so: read chunk by chunk into a file without a name."""

from __future__ import annotations

import itertools
import math
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.files.openfile import machine_errors, read_exactly
from weightkit.access.files.pipeline import Filter, decoded, encoded
from weightkit.errors import DamagedFileError, UnsafeFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.files.container import Body
    from weightkit.access.files.index import Dataset
    from weightkit.access.files.scanner import Scanner

_LARGEST_CHUNK = 256 << 20  # bytes; HDF5 tools make chunks of about a megabyte


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its first element along each axis, and where its bytes lie in the HDF5 file."""

    at: tuple[int, ...]
    mask: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """How a dataset is cut into chunks, checked against the file's own bounds."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    filters: tuple[Filter, ...]
    fill: bytes
    chunks: tuple[Chunk, ...]

    @classmethod
    def ask(cls, scanner: Scanner, body: Body, dataset: Dataset) -> ChunkTable:
        """Ask the reading process for the chunks of a dataset, and check what it says.

        Raises:
            DamagedFileError: A chunk lies outside the file or the dataset, or twice at one place.
            UnsafeFileError: A chunk is too large to be held in memory.
        """
        request = {"do": "chunks", "start": body.start, "length": body.length, "path": dataset.path}
        head, *rest = scanner.ask(request, body.fd)
        table = cls(
            dataset.shape or (),
            tuple(int(axis) for axis in head["chunk"]),
            tuple(Filter(name, int(option)) for name, option in head["filters"]),
            bytes.fromhex(head["fill"]),
            tuple(Chunk(tuple(record["at"]), record["mask"], record["offset"], record["size"]) for record in rest),
        )
        table._check(dataset, body.length)
        return table

    def places(self) -> Iterator[tuple[int, ...]]:
        """The first element of every chunk that the dataset can have, in C order."""
        axes = (range(0, length, step) for length, step in zip(self.shape, self.chunk, strict=True))
        return itertools.product(*axes)

    def inside(self, at: tuple[int, ...]) -> tuple[slice, ...]:
        """The part of the dataset that the chunk at a place covers."""
        return tuple(
            slice(first, min(first + step, length))
            for first, step, length in zip(at, self.chunk, self.shape, strict=True)
        )

    def _check(self, dataset: Dataset, length: int) -> None:
        dtype = dataset.numpy_dtype
        if len(self.chunk) != len(self.shape) or min(self.chunk) < 1 or dtype is None:
            raise DamagedFileError(f"{dataset.path}: its chunks {self.chunk} do not fit its shape {self.shape}")
        if math.prod(self.chunk) * dtype.itemsize > _LARGEST_CHUNK:
            raise UnsafeFileError(f"{dataset.path}: its chunks have more than {_LARGEST_CHUNK} bytes")
        if len({chunk.at for chunk in self.chunks}) != len(self.chunks):
            raise DamagedFileError(f"{dataset.path}: two chunks lie at one place")
        for chunk in self.chunks:
            whole = len(chunk.at) == len(self.shape) and all(
                0 <= first < axis and first % step == 0
                for first, axis, step in zip(chunk.at, self.shape, self.chunk, strict=False)
            )
            if not whole or chunk.offset < 0 or chunk.size < 0 or chunk.offset + chunk.size > length:
                raise DamagedFileError(f"{dataset.path}: a chunk lies outside the file or the dataset")


class Spool:
    """An unnamed file that holds the values of some weights in one piece each; closing it frees its space."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="weightkit-")  # noqa: SIM115  # closed by close()
        self.fd = self._file.fileno()
        self._end = 0

    def close(self) -> None:
        """Free the space; safe to call twice."""
        self._file.close()

    def reserve(self, size: int) -> int:
        """Room for ``size`` more bytes; returns where it begins."""
        offset = self._end
        self._end += -(-size // 64) * 64  # aligned for any type
        with machine_errors("making room for values outside the file", "the temporary folder"):
            _allocate(self.fd, self._end)
        return offset

    def append(self, content: bytes) -> int:
        """Put bytes at the end; returns where they begin."""
        offset = self.reserve(len(content))
        os.pwrite(self.fd, content, offset)
        return offset

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """The values at a place, to be read or set; pages that memory does not hold stay on the disk."""
        return np.memmap(self._file, dtype=dtype, mode="r+", offset=offset, shape=shape)


def _allocate(fd: int, size: int) -> None:
    """Have the disk set the space aside: a page of a mapped file that finds none would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    held = os.fstat(fd).st_size
    while held < size:
        held += os.pwrite(fd, bytes(min(size - held, 1 << 20)), held)


def spool_chunks(body: Body, table: ChunkTable, dtype: np.dtype, spool: Spool) -> int:
    """Decode every chunk of a dataset into a spool; returns where its values begin.

    Raises:
        DamagedFileError: A chunk does not decode to its exact length.
    """
    offset = spool.reserve(math.prod(table.shape) * dtype.itemsize)
    values = spool.array(offset, table.shape, dtype)
    if len(table.chunks) < math.prod(-(-axis // step) for axis, step in zip(table.shape, table.chunk, strict=True)):
        values[...] = np.frombuffer(table.fill, dtype)[0]
    length = math.prod(table.chunk) * dtype.itemsize
    for chunk in table.chunks:
        content = bytearray(chunk.size)
        read_exactly(body.fd, content, body.start + chunk.offset, body.name)
        block = np.frombuffer(decoded(bytes(content), table.filters, chunk.mask, length), dtype)
        part = table.inside(chunk.at)
        values[part] = block.reshape(table.chunk)[tuple(slice(0, axis.stop - axis.start) for axis in part)]
    return offset


def encoded_chunks(values: np.ndarray, table: ChunkTable, spool: Spool) -> Iterator[Mapping[str, Any]]:
    """Encode all chunks of a dataset into a spool; what to tell the process that writes them."""
    filters = tuple(
        Filter(step.name, values.dtype.itemsize) if step.name == "shuffle" else step for step in table.filters
    )
    for at in table.places():
        part = table.inside(at)
        block = np.zeros(table.chunk, values.dtype)
        block[tuple(slice(0, axis.stop - axis.start) for axis in part)] = values[part]
        content = encoded(block.tobytes(), filters)
        yield {"chunk": list(at), "at": spool.append(content), "size": len(content)}

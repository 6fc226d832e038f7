"""Values in chunks: decoded into a spool, if every chunk is there and decodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from weightkit.access.hdf5.chunks import Chunk, ChunkTable
from weightkit.access.hdf5.container import Body
from weightkit.access.hdf5.filters import decoded
from weightkit.access.hdf5.index import Dataset
from weightkit.access.hdf5.recoding import spool_chunks
from weightkit.access.salvage.structure.datasets import CHUNKED, FoundDataset, chunks_of
from weightkit.access.salvage.structure.window import UNDEFINED, Malformed
from weightkit.errors import DamagedFileError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.files.spool import Spool
    from weightkit.access.salvage.structure.window import Window

_DEFLATE_RATIO = 1032  # zlib's manual: one byte of deflated data expands to at most this many
_MOST = 200_000  # chunks of all datasets in a file; Keras itself writes none
Chunks = tuple[list[Chunk], str]
"""The chunks of a dataset that its table names, and why parts of the table could not be read; empty if all could."""


def chunks_in(window: Window, datasets: Iterable[FoundDataset]) -> dict[int, Chunks]:
    """The chunks of all datasets that are in chunks, by address."""
    found: dict[int, Chunks] = {}
    left = _MOST
    for dataset in datasets:
        if dataset.layout == CHUNKED and dataset.offset != UNDEFINED:
            possible = _possible(dataset)
            if possible > left:
                found[dataset.address] = [], "it has too many chunks"
                continue
            chunks, lost = chunks_of(window, dataset, possible)
            found[dataset.address] = chunks, lost[0] if lost else ""
            left -= len(chunks)
    return found


def _possible(dataset: FoundDataset) -> int:
    return math.prod(-(-axis // step) for axis, step in zip(dataset.shape, dataset.chunk, strict=True))


def spooled(window: Window, dataset: FoundDataset, chunks: Chunks, spool: Spool) -> tuple[int, int, str]:
    """Decode a dataset.

    Returns:
        Where its values start in the spool, how many bytes of them are there, and why not all; empty if all are.

    Raises:
        Malformed: Its chunks are not possible, or share bytes.
    """
    found, lost = chunks
    inside = [chunk for chunk in found if chunk.offset + chunk.size <= window.length]
    table = _table(window, dataset, inside)
    body = window.body
    # Addresses count from the superblock, and a body's bytes from its first.
    part = Body(body.fd, body.start + window.base, window.length, body.name)
    if len(inside) == _possible(dataset) and not lost:
        if dataset.size > _DEFLATE_RATIO * sum(chunk.size for chunk in inside):
            raise Malformed("it declares more values than its chunks can hold")
        try:
            return spool_chunks(part, table, spool), dataset.size, ""
        except DamagedFileError as error:
            return 0, _sound(window, table, dataset.element), error.problem
    outside = "some of its chunks are outside the file" if len(inside) < len(found) else ""
    return 0, _sound(window, table, dataset.element), lost or outside or "some of its chunks are missing"


def _table(window: Window, dataset: FoundDataset, chunks: list[Chunk]) -> ChunkTable:
    """The table, checked as that of a sound file is."""
    table = ChunkTable(dataset.shape, dataset.chunk, dataset.filters, bytes(dataset.element), tuple(chunks))
    names = tuple(step.name for step in dataset.filters)
    as_indexed = Dataset(
        "its chunks", dataset.address, (), dataset.shape, dataset.dtype, "chunked", names, None, 0,
        element=dataset.element,
    )  # fmt: skip
    try:
        table.check(as_indexed, window.length)
    except RefusedError as error:
        raise Malformed(error.problem) from error
    whole = math.prod(dataset.chunk) * dataset.element
    if not dataset.filters and any(chunk.size != whole for chunk in chunks):
        raise Malformed("its chunks have the wrong size")
    return table


def _sound(window: Window, table: ChunkTable, element: int) -> int:
    """Bytes of the values in those chunks that decode."""
    whole = math.prod(table.chunk) * element
    count = 0
    for chunk in table.chunks:
        try:
            decoded(window.read(chunk.offset, chunk.size, "a chunk"), table.filters, chunk.mask, whole)
        except (DamagedFileError, Malformed):
            continue
        count += math.prod(axis.stop - axis.start for axis in table.inside(chunk.at)) * element
    return count

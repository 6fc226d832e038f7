"""Decode the chunks of a dataset into contiguous values, and encode them again.

Both work along the first axis, one row of chunks at a time, so that only one row is in memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.files.openfile import read_exactly
from weightkit.access.hdf5.filters import Filter, decoded, encoded
from weightkit.access.hdf5.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.files.spool import Spool
    from weightkit.access.hdf5.chunks import Chunk, ChunkTable
    from weightkit.access.hdf5.container import Body


def spool_chunks(body: Body, table: ChunkTable, spool: Spool) -> int:
    """Decode every chunk of a dataset into a spool; returns where its values start.

    Raises:
        DamagedFileError: A chunk does not decode to its exact length.
        MachineError: The spool has no room for the values.
    """
    element = len(table.fill)  # a fill value is one element: the table's check requires it
    nbytes = table.shape[0] * table.row * element
    offset = spool.reserve(nbytes)
    if len(table.chunks) < table.possible and any(table.fill):
        spool.repeat(offset, nbytes, table.fill)
    rows: dict[int, list[Chunk]] = {}
    for chunk in table.chunks:
        rows.setdefault(chunk.at[0], []).append(chunk)
    ordered = [chunk for chunks in rows.values() for chunk in chunks]  # as they are taken below
    blocks = in_order(lambda chunk: _block(body, table, chunk), ordered, math.prod(table.chunk) * element)
    for first, chunks in rows.items():
        values = _row(spool, offset, table, first, element)
        for chunk in chunks:
            part = table.inside(chunk.at)
            values[part] = next(blocks)[tuple(slice(axis.stop - axis.start) for axis in part)]
    return offset


def _row(spool: Spool, offset: int, table: ChunkTable, first: int, element: int) -> np.ndarray:
    """All values of the chunks that start at ``first`` along the first axis, as raw elements."""
    count = min(table.chunk[0], table.shape[0] - first)
    place = offset + first * table.row * element
    return spool.array(place, (count, *table.shape[1:]), np.dtype(f"V{element}"))


def _block(body: Body, table: ChunkTable, chunk: Chunk) -> np.ndarray:
    content = bytearray(chunk.size)
    read_exactly(body.fd, content, body.start + chunk.offset, body.name)
    raw = np.dtype(f"V{len(table.fill)}")
    length = math.prod(table.chunk) * raw.itemsize
    return np.frombuffer(decoded(bytes(content), table.filters, chunk.mask, length), raw).reshape(table.chunk)


def encoded_chunks(
    offset: int, element: int, table: ChunkTable, spool: Spool, *, retyped: bool
) -> Iterator[Mapping[str, Any]]:
    """Encode the chunks of a dataset into a spool; yields what the writing process needs to know.

    A missing chunk stays missing if its values still equal the fill value.

    Args:
        offset: Where the new values start in the spool.
        element: Bytes of each of them.
        table: How the dataset is split; this stays.
        spool: Where the values are, and where the encoded chunks go.
        retyped: Whether the new values have another type.
    """
    filters = tuple(Filter(step.name, element) if step.name == "shuffle" else step for step in table.filters)
    blocks = _new_blocks(offset, element, table, spool, retyped=retyped)
    size = math.prod(table.chunk) * element
    for at, content in in_order(lambda block: (block[0], encoded(block[1].tobytes(), filters)), blocks, size):
        yield {"chunk": list(at), "at": spool.append(content), "size": len(content)}


def _new_blocks(
    offset: int, element: int, table: ChunkTable, spool: Spool, *, retyped: bool
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """The start of each chunk to write, and its values, with zeros past the edges."""
    written = {chunk.at for chunk in table.chunks}
    for first in range(0, table.shape[0], table.chunk[0]):
        values = _row(spool, offset, table, first, element)
        for at in table.places(first):
            part = values[table.inside(at)]
            # Compared as bytes: as numbers, NaN differs from itself, and -0.0 equals a fill value of 0.0.
            if not retyped and at not in written and part.tobytes() == table.fill * part.size:
                continue
            block = np.zeros(table.chunk, part.dtype)
            block[tuple(map(slice, part.shape))] = part
            yield at, block

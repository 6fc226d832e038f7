"""Where each weight's values are read from: the file itself, or a spool for values that are not contiguous."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.files.openfile import read_exactly
from weightkit.access.files.spool import Spool
from weightkit.access.hdf5.chunks import ChunkTable
from weightkit.access.hdf5.recoding import spool_chunks
from weightkit.access.hdf5.spans import Spans
from weightkit.errors import DamagedFileError, RequestError, UnsafeFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import WriteableBuffer

    from weightkit.access.hdf5.container import Container
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.hdf5.scanner import Scanner
    from weightkit.access.ref import WeightRef


@dataclass(frozen=True, slots=True)
class Piece:
    """Contiguous values, in C order."""

    fd: int
    offset: int
    """Bytes from the start of that file."""
    name: str

    def read_into(self, buffer: WriteableBuffer, skipped: int) -> None:
        """Fill a buffer from ``skipped`` bytes after the first value on."""
        read_exactly(self.fd, buffer, self.offset + skipped, self.name)


class Values:
    """The values of a file's weights; values that are not contiguous are decoded on first use."""

    def __init__(
        self, container: Container, scanner: Scanner, weights: Mapping[WeightRef, Dataset], index: Index
    ) -> None:
        self._container, self._body = container, container.body
        self._scanner, self._weights, self._index = scanner, weights, index
        self._spool: Spool | None = None
        self._spooled: dict[str, Piece] = {}
        self._tables: dict[str, ChunkTable] = {}
        self._lock = threading.Lock()  # one request to the reading process at a time

    @property
    def spool(self) -> Spool:
        """The unnamed file for values that are not contiguous, created on first use."""
        if self._spool is None:
            self._spool = Spool()
        return self._spool

    def close(self) -> None:
        """Free the spool's space."""
        if self._spool is not None:
            self._spool.close()

    def of(self, ref: WeightRef) -> Piece:
        """Where a weight's values can be read; of text of variable length, a digest of each.

        None are handed out before the container was found intact.

        Raises:
            UnsupportedFileError: They are chunked but not plain numbers, or were declared and never written.
            DamagedFileError: A piece does not decode to what it should, or a checksum is wrong.
        """
        if ref not in self._weights:
            raise RequestError(
                f"there is no weight {ref.path} of shape {ref.shape} and type {ref.dtype}",
                hint="use references from this store",
            )
        self._container.require_intact()
        dataset, body = self._weights[ref], self._body
        if dataset.offset is not None and not dataset.is_long_text:  # its bytes only say where its values are
            return Piece(body.fd, body.start + dataset.offset, body.name)
        if dataset.layout == "contiguous" and dataset.offset is None:
            raise UnsupportedFileError(
                f"{ref.path}: it is declared, but its values were never written", hint="save the model again"
            )
        if dataset.numpy_dtype is None and not dataset.is_long_text:
            raise UnsupportedFileError(f"{ref.path}: it holds {ref.dtype_text}, which is not a plain number")
        with self._lock:
            if dataset.path not in self._spooled:
                offset = self._laid_out(ref, dataset)
                self._spooled[dataset.path] = Piece(self.spool.fd, offset, body.name)
            return self._spooled[dataset.path]

    def tables(self, datasets: Mapping[WeightRef, Dataset]) -> dict[WeightRef, ChunkTable]:
        """The chunk tables of the chunked weights."""
        return {ref: self._table(dataset) for ref, dataset in datasets.items() if dataset.layout == "chunked"}

    def _laid_out(self, ref: WeightRef, dataset: Dataset) -> int:
        if dataset.layout == "chunked" and not dataset.is_long_text:
            table = self._table(dataset)
            try:
                return spool_chunks(self._body, table, self.spool)
            except DamagedFileError as error:  # which says what is wrong with a chunk
                problem = f"{ref.path}: {error.problem}"
                raise DamagedFileError(problem, hint=error.hint, file=error.file) from error
        values = self._told("texts" if dataset.is_long_text else "compact", dataset)
        if len(values) != ref.nbytes:
            raise DamagedFileError(f"{ref.path}: the file must hold {ref.nbytes} bytes of it, got {len(values)}")
        return self.spool.append(values)

    def _told(self, what: str, dataset: Dataset) -> bytes:
        """Values that the reading process reads."""
        body = self._body
        request = {"do": what, "start": body.start, "length": body.length, "path": dataset.path,
                   "element": dataset.element}  # fmt: skip
        try:
            return b"".join(bytes.fromhex(record["values"]) for record in self._scanner.ask(request, body.fd))
        except (KeyError, TypeError, ValueError) as error:
            raise UnsafeFileError(f"internal error: the HDF5 reader sent an invalid reply: {error!r}") from error

    @functools.cached_property
    def _headers(self) -> Spans:
        """Of all objects: a file may have as many chunk tables as headers."""
        spans = Spans(self._body.length)
        self._index.add_headers(spans)
        return spans

    def _table(self, dataset: Dataset) -> ChunkTable:
        if dataset.path not in self._tables:
            table = ChunkTable.ask(self._scanner, self._body, dataset)
            # Once more: the index was made of an earlier reply.
            self._headers.require_free(dataset.path, ((chunk.offset, chunk.size) for chunk in table.chunks))
            self._tables[dataset.path] = table
        return self._tables[dataset.path]

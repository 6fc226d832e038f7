"""A new file with another layout: the reading process writes its skeleton, and this process fills in the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range
from weightkit.access.files.openfile import machine_errors
from weightkit.access.hdf5.index import Index
from weightkit.access.hdf5.recoding import encoded_chunks
from weightkit.access.hdf5.writing.placed_sink import Place, PlacedSink
from weightkit.access.hdf5.writing.target_index import described, type_code
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from weightkit.access.changes import Changes
    from weightkit.access.files.spool import Spool
    from weightkit.access.hdf5.chunks import ChunkTable
    from weightkit.access.hdf5.writing.writers import Job
    from weightkit.access.ref import WeightRef

_HEADROOM = 64 << 20  # bytes that a new file's structure may take beyond the old one's


@dataclass(slots=True)
class Rebuild:
    """Chunked data, new types, dropped objects, new attributes: anything that a patch cannot do."""

    job: Job
    changes: Changes
    types: Mapping[str, np.dtype]
    """New types of datasets, by their path."""
    planned: Index
    """The index of the new file."""
    tables: Mapping[WeightRef, ChunkTable]
    """Chunk tables of the chunked weights to change."""
    spool: Spool
    _start: int = 0
    _length: int = 0
    _begun: str = ""
    """Digest of the reading process's reply on the new file before values were copied."""
    _new: Index = field(default_factory=lambda: Index(0))
    _spooled: dict[WeightRef, int] = field(default_factory=dict)

    def begin(self) -> PlacedSink:
        """Have the skeleton written, copy contiguous values, and give each new value its place."""
        job = self.job
        job.container.require_intact()
        self._start = job.container.begin(job.fd, self.changes.members)
        self._build()
        # Before values go to the offsets that the new file gives.
        self._require_structure(whole=all(dataset.offset is not None for dataset in job.changing.values()))
        self._begun = job.scanner.reply_digest
        self._copy_unchanged()
        return PlacedSink({ref: self._place(ref) for ref in job.changing}, job.label, self.finish)

    def finish(self) -> int:
        """Write values that are not contiguous, complete the container, check the structure again.

        Returns:
            The new file's descriptor.
        """
        pieces = [piece for ref in self._spooled for piece in self._pieces(ref)]
        if pieces:
            self._fill(pieces)
        # Again after the last value was written: one in a wrong place may lie over the file's own tables.
        if pieces or self.job.scanner.digest(self.job.fd, self._start, self._length) != self._begun:
            self._require_structure(whole=True)
        self.job.container.finish(self.job.fd, self._length)
        return self.job.fd

    def _build(self) -> None:
        job, body = self.job, self.job.body
        request = {
            "do": "build", "start": body.start, "length": body.length, "target_start": self._start,
            "drop": sorted(self.changes.dropped),
            "types": {path: type_code(dtype) for path, dtype in self.types.items()},
            "attributes": {path: dict(values) for path, values in self.changes.attributes.items()},
            "deferred": [dataset.path for dataset in job.changing.values() if dataset.offset is None],
            "aliases": job.index.aliases,
            "writes": self._limit(),
        }  # fmt: skip
        answer = self._answer(request, body.fd, job.fd)
        self._length = int(answer["built"])
        with machine_errors("copying the user block", job.label):
            shift = self._start - body.start
            # The library reserves room for the user block, and leaves it empty.
            copy_range(body.fd, job.fd, body.start, body.start + int(answer["user_block"]), shift=shift)

    def _fill(self, pieces: list[dict[str, object]]) -> None:
        more = sum(int(str(piece["size"])) for piece in pieces)
        request = {"do": "fill", "target_start": self._start, "target_length": self._length, "pieces": pieces,
                   "writes": self._limit() + more}  # fmt: skip
        self._length = int(self._answer(request, self.job.fd, self.spool.fd)["built"])

    def _answer(self, request: dict[str, object], *descriptors: int) -> dict[str, int]:
        answer: dict[str, int] = {}
        # Only the last record counts: those before it are signs of life.
        for record in self.job.scanner.ask(request, *descriptors):
            answer = record
        return answer

    def _limit(self) -> int:
        """Bytes past which the reading process may not write."""
        old = self.job.index.datasets
        grown = sum(self.planned.datasets[path].numpy_size - old[path].numpy_size for path in self.types)
        return self._start + self.job.body.length + max(0, grown) + _HEADROOM

    def _copy_unchanged(self) -> None:
        body, changed = self.job.body, {dataset.path for dataset in self.job.changing.values()}
        with machine_errors("copying the file", self.job.label):
            for path, old in self.planned.datasets.items():
                new = self._new.datasets[path]
                # Text of variable length is in place: its bytes point into a heap, so the reading process copied it.
                if path in changed or old.is_long_text or old.offset is None or new.offset is None or not old.size:
                    continue
                first = body.start + old.offset
                # More bytes than the new place has would run over what comes after it.
                if old.size != new.size:
                    raise AssertionError(f"{path}: {old.size} bytes for a place of {new.size}")
                copy_range(body.fd, self.job.fd, first, first + old.size, shift=self._start + new.offset - first)

    def _dtype(self, ref: WeightRef) -> np.dtype:
        return self.types.get(self.job.changing[ref].path, ref.dtype)

    def _place(self, ref: WeightRef) -> Place:
        dataset, dtype = self._new.datasets[self.job.changing[ref].path], self._dtype(ref)
        if dataset.offset is not None:
            return Place(self.job.fd, self._start + dataset.offset, dtype)
        self._spooled[ref] = self.spool.reserve(ref.size * dtype.itemsize)
        return Place(self.spool.fd, self._spooled[ref], dtype)

    def _pieces(self, ref: WeightRef) -> Iterator[dict[str, object]]:
        path, offset = self.job.changing[ref].path, self._spooled[ref]
        element = self._dtype(ref).itemsize
        if ref not in self.tables:
            yield {"path": path, "chunk": None, "at": offset, "size": ref.size * element}
            return
        retyped = path in self.types
        for piece in encoded_chunks(offset, element, self.tables[ref], self.spool, retyped=retyped):
            yield {"path": path, **piece}

    def _require_structure(self, *, whole: bool) -> None:
        """The new file has the same objects, shapes, attributes and filters, less what the changes say."""
        self._new = self.job.scan(self._start, self._length, whole=whole)
        changing = {dataset.path for dataset in self.job.changing.values()}
        wanted = described(self.planned, self.changes, self.types, changing)
        found = described(self._new, self.changes, self.types, changing)
        if found != wanted:
            odd = sorted({str(path) for path, _ in found.items() ^ wanted.items()})
            raise MachineError(
                f"internal error: the new file's structure differs from the plan, at {', '.join(odd[:3]) or '/'}",
                hint="nothing was changed; please report it",
            )

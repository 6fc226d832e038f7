"""The two ways to write an edited file: patch a copy, or build it anew."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import ml_dtypes

from weightkit.access.files.copying import copy_range
from weightkit.access.files.index import Attribute, Index
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.patch import copy_around
from weightkit.access.files.sink import Place, PlacedSink
from weightkit.access.files.spool import ChunkTable, Spool, encoded_chunks
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from weightkit.access.changes import AttributeValue, Changes
    from weightkit.access.files.container import Body, Container
    from weightkit.access.files.index import Dataset
    from weightkit.access.files.scanner import Scanner
    from weightkit.access.ref import WeightRef

_HEADROOM = 64 << 20  # bytes that a new file's structure may take beyond the old one's


class Writer(Protocol):
    """Writes a new file: begin, set values, finish."""

    def begin(self) -> PlacedSink:
        """Write all that does not change; returns where the new values go."""

    def finish(self) -> None:
        """Complete the file and check its structure."""


@dataclass(slots=True)
class Job:
    """What both ways need to know."""

    container: Container
    index: Index
    scanner: Scanner
    fd: int
    changing: Mapping[WeightRef, Dataset]
    label: str

    @property
    def body(self) -> Body:
        """The old HDF5 file."""
        return self.container.body

    def scan(self, start: int, length: int) -> Index:
        """What the reading process finds in the new file."""
        return Index.of(self.scanner.records(self.fd, start, length), length)


@dataclass(slots=True)
class Patch:
    """Same layout, same types, values in one piece: a copy in which some spans are other."""

    job: Job
    _start: int = 0

    def begin(self) -> PlacedSink:
        """Copy everything but the large weights that will be written."""
        job = self.job
        body = job.body
        self._start = body.start if job.container.holds_body else job.container.begin(job.fd, {})
        shift = self._start - body.start
        offsets = {
            ref: body.start + dataset.offset for ref, dataset in job.changing.items() if dataset.offset is not None
        }
        whole = (0, os.fstat(body.fd).st_size) if job.container.holds_body else (body.start, body.start + body.length)
        spans = [(offset, ref.nbytes) for ref, offset in offsets.items()]
        with machine_errors("copying the file", job.label):
            copy_around(body.fd, job.fd, *whole, spans, shift=shift)
        places = {ref: Place(job.fd, offset + shift, ref.dtype) for ref, offset in offsets.items()}
        return PlacedSink(places, job.label)

    def finish(self) -> None:
        """Mend the container, and require the new structure to equal the old one."""
        job = self.job
        job.container.require_intact()
        if job.container.holds_body:
            job.container.seal(job.fd)
        else:
            job.container.finish(job.fd, job.body.length)
        if job.scan(self._start, job.body.length) != job.index:
            raise AssertionError("the new file's structure differs from the old one's")


@dataclass(slots=True)
class Rebuild:
    """Anything else: the reading process writes a skeleton, and its space is filled here."""

    job: Job
    changes: Changes
    tables: Mapping[WeightRef, ChunkTable]
    """Chunk tables of the weights to change that lie in chunks."""
    spool: Spool
    _start: int = 0
    _length: int = 0
    _new: Index = field(default_factory=lambda: Index(0))
    _spooled: dict[WeightRef, int] = field(default_factory=dict)

    def begin(self) -> PlacedSink:
        """Have the skeleton written, copy what lies in one piece, and give each new value its place."""
        job = self.job
        job.container.require_intact()
        self._start = job.container.begin(job.fd, self.changes.members)
        self._build()
        self._new = job.scan(self._start, self._length)
        self._require_structure()
        self._copy_unchanged()
        return PlacedSink({ref: self._place(ref) for ref in job.changing if ref.size}, job.label)

    def finish(self) -> None:
        """Write values that do not lie in one piece, complete the container, check the structure once more."""
        job = self.job
        pieces = [piece for ref in self._spooled for piece in self._pieces(ref)]
        if pieces:
            request = {"do": "fill", "target_start": self._start, "target_length": self._length, "pieces": pieces,
                       "writes": self._limit() + sum(int(str(piece["size"])) for piece in pieces)}  # fmt: skip
            self._length = self._written(request, job.fd, self.spool.fd)
            self._new = job.scan(self._start, self._length)
            self._require_structure()
        job.container.finish(job.fd, self._length)

    def _build(self) -> None:
        job, changes, body = self.job, self.changes, self.job.body
        request = {
            "do": "build", "start": body.start, "length": body.length, "target_start": self._start,
            "drop": sorted(changes.dropped),
            "types": {job.changing[ref].path: type_code(dtype) for ref, dtype in changes.types.items()},
            "attributes": {path: dict(values) for path, values in changes.attributes.items()},
            "deferred": [dataset.path for dataset in job.changing.values() if dataset.offset is None],
            "writes": self._limit(),
        }  # fmt: skip
        self._length = self._written(request, body.fd, job.fd)

    def _limit(self) -> int:
        grown = sum(max(0, dtype.itemsize - ref.dtype.itemsize) * ref.size for ref, dtype in self.changes.types.items())
        return self._start + self.job.body.length + grown + _HEADROOM

    def _written(self, request: dict[str, object], *descriptors: int) -> int:
        records = list(self.job.scanner.ask(request, *descriptors))
        length = int(records[-1]["built"])
        user_block = int(records[-1].get("user_block", 0))
        if user_block:
            with machine_errors("copying the user block", self.job.label):
                start = self.job.body.start
                copy_range(self.job.body.fd, self.job.fd, start, start + user_block, shift=self._start - start)
        return length

    def _copy_unchanged(self) -> None:
        body, changed = self.job.body, {dataset.path for dataset in self.job.changing.values()}
        with machine_errors("copying the file", self.job.label):
            for path, dataset in self._new.datasets.items():
                old = self.job.index.datasets[path]
                if path in changed or old.offset is None or dataset.offset is None or not old.size:
                    continue
                first = body.start + old.offset
                shift = self._start + dataset.offset - first
                copy_range(body.fd, self.job.fd, first, first + old.size, shift=shift)

    def _place(self, ref: WeightRef) -> Place:
        dataset = self._new.datasets[self.job.changing[ref].path]
        dtype = self.changes.types.get(ref, ref.dtype)
        if dataset.offset is not None:
            return Place(self.job.fd, self._start + dataset.offset, dtype)
        self._spooled[ref] = self.spool.reserve(ref.size * dtype.itemsize)
        return Place(self.spool.fd, self._spooled[ref], dtype)

    def _pieces(self, ref: WeightRef) -> Iterator[dict[str, object]]:
        path, offset = self.job.changing[ref].path, self._spooled[ref]
        dtype = self.changes.types.get(ref, ref.dtype)
        if ref not in self.tables:
            yield {"path": path, "chunk": None, "at": offset, "size": ref.size * dtype.itemsize}
            return
        values = self.spool.array(offset, ref.shape, dtype)
        for piece in encoded_chunks(values, self.tables[ref], self.spool):
            yield {"path": path, **piece}

    def _require_structure(self) -> None:
        """The new file has the same objects, shapes, attributes and filters, less what the changes say."""
        wanted = _described(_planned(self.job.index, self.job.changing, self.changes), self.changes)
        found = _described(self._new, self.changes)
        if found != wanted:
            odd = sorted({str(path) for path, _ in found.items() ^ wanted.items()})
            raise MachineError(
                f"the new file's structure is not the planned one, at {', '.join(odd[:3]) or '/'}",
                mend="nothing was changed; please report it",
            )


def type_code(dtype: np.dtype) -> str:
    """NumPy's code of a type, as the file layer writes it: bfloat16 is two opaque bytes."""
    return "|V2" if dtype == ml_dtypes.bfloat16 else dtype.str


def _described(index: Index, changes: Changes) -> dict[str, tuple[object, ...]]:
    """All that is to be the same in two files whatever their layout: everything but places and sizes."""
    described: dict[str, tuple[object, ...]] = {path: ("alias", of) for path, of in index.aliases.items()}
    for path, group in index.groups.items():
        described[path] = ("group", _comparable(group.attributes, changes.attributes.get(path, {})))
    for path, dataset in index.datasets.items():
        attributes = _comparable(dataset.attributes, changes.attributes.get(path, {}))
        described[path] = (dataset.shape, dataset.dtype, dataset.layout, dataset.filters, attributes)
    return described


def _comparable(attributes: Sequence[Attribute], changed: Mapping[str, AttributeValue]) -> tuple[object, ...]:
    """Attributes by digest; those that were set here by their text, since their types are ours."""
    return tuple(sorted((a.name, a.text if a.name in changed else a.digest) for a in attributes))


def _planned(index: Index, changing: Mapping[WeightRef, Dataset], changes: Changes) -> Index:
    """What the new file is to hold."""
    types = {changing[ref].path: type_code(dtype) for ref, dtype in changes.types.items()}
    groups = {
        path: replace(group, attributes=_with(group.attributes, changes.attributes.get(path, {})))
        for path, group in index.groups.items()
        if not is_gone(path, changes.dropped)
    }
    datasets = {
        path: replace(
            dataset,
            dtype=types.get(path, dataset.dtype),
            attributes=_with(dataset.attributes, changes.attributes.get(path, {})),
        )
        for path, dataset in index.datasets.items()
        if not is_gone(path, changes.dropped)
    }
    aliases = {path: of for path, of in index.aliases.items() if not is_gone(path, changes.dropped)}
    return Index(index.length, groups, datasets, aliases)


def _with(attributes: Sequence[Attribute], changed: Mapping[str, AttributeValue]) -> tuple[Attribute, ...]:
    kept = [attribute for attribute in attributes if attribute.name not in changed]
    set_here = [
        Attribute(name, "", tuple(value) or None if isinstance(value, list) else value)
        for name, value in changed.items()
        if value is not None
    ]
    return (*kept, *set_here)


def is_gone(path: str, dropped: frozenset[str]) -> bool:
    """Whether an object, or a group around it, was dropped."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in dropped for count in range(1, len(parts) + 1))

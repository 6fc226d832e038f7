"""A weight file as a store: values come by exact offsets, an edit goes into a new file beside it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.files.commit import Replacement, require_place, target_of
from weightkit.access.hdf5.held import Held
from weightkit.access.hdf5.patch import Patch
from weightkit.access.hdf5.rebuild import Rebuild
from weightkit.access.hdf5.target_index import is_gone, planned
from weightkit.access.hdf5.values import Values
from weightkit.access.hdf5.writers import Job, Writer
from weightkit.access.store import ALL, IN_PLACE, Destination, WeightStore
from weightkit.errors import RequestError, WeightkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weightkit.access.configured import Configured
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.container import Container
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.hdf5.layout import Layout
    from weightkit.access.hdf5.placed_sink import PlacedSink
    from weightkit.access.hdf5.scanner import Scanner
    from weightkit.access.ref import WeightRef


@dataclass(frozen=True, slots=True)
class Contents:
    """What a format found in a file: its weights, each with its dataset, and what is said of the whole."""

    format: str
    keras_version: str | None
    weights: Mapping[WeightRef, Dataset]
    ordered: bool
    config: Mapping[str, Any] | None
    layout: Layout
    configured: Mapping[str, Configured] = field(default_factory=dict)
    """Configurations of the layers behind weights, by structural address."""
    manifest: Any = None
    """What else the format tells of the whole, in a form of its own."""


class FileStore(WeightStore):
    """The weights of one file. Close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        source: OpenFile,
        scanner: Scanner,
        container: Container,
        index: Index,
        contents: Contents,
        *,
        editable: bool,
    ) -> None:
        self._source, self._scanner, self._container, self._index = source, scanner, container, index
        self._contents, self._editable = contents, editable
        self._values = Values(container.body, scanner, contents.weights, index)
        self._held = Held(self, source.name, self._values, container, scanner, source)

    @property
    def label(self) -> str:
        """The file as the user named it."""
        return self._source.name

    @property
    def format(self) -> str:
        """Name of the format, such as ``legacy HDF5 model``."""
        return self._contents.format

    @property
    def ordered(self) -> bool:
        """Whether the file tells the order of its layers."""
        return self._contents.ordered

    @property
    def keras_version(self) -> str | None:
        """The version of Keras that wrote it, where it says so."""
        return self._contents.keras_version

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The model's configuration, where the file holds one."""
        return self._contents.config

    @property
    def manifest(self) -> Any:
        """What else the format tells of the whole; None where it tells nothing."""
        return self._contents.manifest

    @property
    def layout(self) -> Layout:
        """What must change with an edit of structure."""
        return self._contents.layout

    def configured(self, ref: WeightRef) -> Configured | None:
        """What the model's configuration in the file says of a weight's layer."""
        return self._contents.configured.get(ref.structure)

    def dataset(self, ref: WeightRef) -> Dataset:
        """Where a weight lies in the file, and in which form."""
        return self._contents.weights[ref]

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return self._source.size

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self._contents.weights)

    def __len__(self) -> int:
        return len(self._contents.weights)

    def close(self) -> None:
        """End the reading process and give the descriptor and its lock back; safe to call twice."""
        self._held.close()

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """A copy of the values: the whole weight in its shape, or a flat span of its elements in C order."""
        self._held.require_usable()
        first, last, _ = span.indices(ref.size)
        try:
            source = self._values.of(ref) if ref.size else None  # before memory is taken: it may lie nowhere
        except WeightkitError as error:
            raise error.about(self.label) from error.__cause__
        values = np.empty(max(0, last - first), dtype=ref.dtype)
        if values.size and source:
            source.read_into(values.view(np.uint8).data, first * ref.dtype.itemsize)
        return values.reshape(ref.shape) if span == ALL else values

    def require_intact(self) -> None:
        """Check what an archive says of its weights' bytes; HDF5 alone says nothing of them.

        Raises:
            DamagedFileError: They are not those that were stored.
        """
        self._held.require_usable()
        self._container.require_intact()

    def renamed(
        self, names: Mapping[WeightRef, WeightRef], configured: Mapping[str, Configured] | None = None
    ) -> FileStore:
        """The same open file, its weights known by other references, and more configurations known of them.

        This store is then no longer to be used.
        """
        self._held.pass_on()
        weights = {names[ref]: dataset for ref, dataset in self._contents.weights.items()}
        contents = replace(
            self._contents, weights=weights, configured={**self._contents.configured, **(configured or {})}
        )
        return FileStore(self._source, self._scanner, self._container, self._index, contents, editable=self._editable)

    def require_possible(
        self, changing: Sequence[WeightRef], destination: Destination = IN_PLACE, changes: Changes = NO_CHANGES
    ) -> None:
        """Refuse an edit that would be refused before anything is written; nothing is touched.

        Args:
            changing: The weights that would get new values.
            destination: Where the new file would go.
            changes: What else would change.

        Raises:
            RequestError: The destination cannot be.
            RefusedError: The file cannot be edited like that.
        """
        self._held.require_usable()
        require_place(self._source, destination)
        self._prepared({ref: self._contents.weights[ref] for ref in changing if ref.size}, changes)

    @contextlib.contextmanager
    def editing(
        self,
        changing: Sequence[WeightRef],
        destination: Destination = IN_PLACE,
        changes: Changes = NO_CHANGES,
    ) -> Iterator[PlacedSink]:
        """Edit exactly the weights ``changing`` into a new file, verify it, and put it in place.

        Args:
            changing: The weights that get new values.
            destination: Where the new file goes.
            changes: What else is to change: types, objects, attributes.

        Raises:
            RequestError: The store was opened for reading, or the destination cannot be.
            BusyError: Somebody changed the file meanwhile.
        """
        self._held.require_usable()
        if not self._editable:
            raise RequestError(
                "it is open for reading only",
                hint="open it with open_weights(path, editable=True)",
                file=self.label,
            )
        target = target_of(self._source, destination)
        datasets = {ref: self._contents.weights[ref] for ref in changing if ref.size}  # an empty one lies nowhere
        new = self._prepared(datasets, changes)
        replacement = Replacement(self._source, destination, target, self._bound(changes))
        try:
            fd, size = replacement.fd, self._source.size
            job = Job(self._container, self._index, self._scanner, fd, datasets, self.label, size)
            sink = self._writer(job, changes, new).begin()
            yield sink
            sink.complete()
            sink.outcome = replacement.commit()
        except WeightkitError as error:
            raise error.about(self.label) from error.__cause__
        except BaseException as error:
            if not hasattr(error, "__notes__"):
                error.add_note("nothing was changed")
            raise
        finally:
            replacement.discard()

    def _prepared(self, datasets: Mapping[WeightRef, Dataset], changes: Changes) -> Index | None:
        """Refuse what cannot be done, before anything is written.

        Returns:
            What a file built anew is to hold; None where patching a copy will do.
        """
        try:
            patched = not changes and all(dataset.offset is not None for dataset in datasets.values())
            new = None if patched else planned(self._index, self._types(changes), changes)
            for ref in datasets:
                self._values.of(ref)
        except WeightkitError as error:
            raise error.about(self.label) from error.__cause__
        return new

    def _writer(self, job: Job, changes: Changes, new: Index | None) -> Writer:
        if new is None:
            return Patch(job)
        tables = self._values.tables(job.changing)
        return Rebuild(job, changes, self._types(changes), new, tables, self._values.spool)

    def _types(self, changes: Changes) -> dict[str, np.dtype]:
        return {self._contents.weights[ref].path: dtype for ref, dtype in changes.types.items()}

    def _bound(self, changes: Changes) -> int:
        """Bytes that the new file may take, about."""
        grown = sum((dtype.itemsize - ref.dtype.itemsize) * ref.size for ref, dtype in changes.types.items())
        gone = sum(d.size for path, d in self._index.datasets.items() if is_gone(path, changes.dropped))
        unpacked = 0 if self._container.holds_body else self._container.body.length
        return self._source.size + unpacked + max(0, grown) - gone


def elements(dataset: Dataset) -> int:
    """Number of elements of a dataset."""
    return 0 if dataset.shape is None else math.prod(dataset.shape)

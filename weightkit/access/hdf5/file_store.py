"""A weight file as a store: values are read at exact offsets; an edit writes a new file next to it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.changes import NO_CHANGES, Changes
from weightkit.access.files.commit import Replacement, require_place, target_of
from weightkit.access.files.held import Held
from weightkit.access.files.output_suffix import require_suffix
from weightkit.access.files.salvage_hint import with_salvage
from weightkit.access.hdf5.superblock import is_marked
from weightkit.access.hdf5.values import Values
from weightkit.access.hdf5.writing.patch import Patch
from weightkit.access.hdf5.writing.rebuild import Rebuild
from weightkit.access.hdf5.writing.target_index import is_gone, planned
from weightkit.access.hdf5.writing.writers import Job, Writer
from weightkit.access.store import ALL, IN_PLACE, Destination, WeightStore
from weightkit.errors import DamagedFileError, RequestError, UnsupportedFileError, WeightkitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weightkit.access.configured import Configured
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.container import Container
    from weightkit.access.hdf5.contents import Contents
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.hdf5.layout import Layout
    from weightkit.access.hdf5.scanner import Scanner
    from weightkit.access.hdf5.writing.placed_sink import PlacedSink
    from weightkit.access.ref import WeightRef

_MARKED = "the file is marked as open for writing: its writer was killed or is still at work"
_COPIED = "its values may be incomplete; an edit with -o makes a copy without the mark"


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
        self._values = Values(container, scanner, contents.weights, index)
        self._marked = is_marked(container.body)
        # Given back in this order: the lock, which `source` holds, goes last.
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
        """Whether the file stores the order of its layers."""
        return self._contents.ordered

    @property
    def keras_version(self) -> str | None:
        """The version of Keras that wrote it, where it says so."""
        return self._contents.keras_version

    @property
    def backend(self) -> str | None:
        """The backend of the Keras that wrote it, where it says so, as legacy files since Keras 2 do."""
        return self._contents.backend

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the whole file: that it was never closed, what its lists name in vain."""
        marked = (f"{_MARKED}; {_COPIED}",) if self._marked else ()
        return (*marked, *self._contents.notes)

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The model's configuration, where the file holds one."""
        return self._contents.config

    @property
    def manifest(self) -> Any:
        """What else the format knows about the whole file; None if nothing."""
        found = self._contents.manifest
        return found() if callable(found) else found

    @property
    def layout(self) -> Layout:
        """How this format's structure is edited."""
        return self._contents.layout

    def configured(self, ref: WeightRef) -> Configured | None:
        """What the model's configuration in the file says about a weight's layer."""
        return self._contents.configured.get(ref.structure)

    def dataset(self, ref: WeightRef) -> Dataset:
        """Where a weight is in the file, and how it is stored."""
        return self._contents.weights[ref]

    def dropped(self, changes: Changes) -> list[WeightRef]:
        """The weights that go with changes of the file's structure."""
        return [ref for ref, dataset in self._contents.weights.items() if is_gone(dataset.path, changes.dropped)]

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return self._source.size

    def __iter__(self) -> Iterator[WeightRef]:
        self.require_usable()
        return iter(self._contents.weights)

    def __len__(self) -> int:
        return len(self._contents.weights)

    def require_usable(self) -> None:
        """Refuse a store that is closed, was edited in place, or belongs to another process.

        Raises:
            RequestError: It is one of these.
        """
        self._held.require_usable()

    def _listed(self) -> Iterable[WeightRef]:
        return self._contents.weights

    def close(self) -> None:
        """End the reading process and give the descriptor and its lock back; safe to call twice."""
        self._held.close()

    def values(self, ref: WeightRef, span: slice) -> np.ndarray:
        """A copy of the values: the whole weight in its shape, or a flat span of its elements in C order."""
        with self._held.in_use():
            return self._read(ref, span)

    def _read(self, ref: WeightRef, span: slice) -> np.ndarray:
        first, last, _ = span.indices(ref.size)
        try:
            source = self._values.of(ref) if ref.size else None  # before memory is taken: it may not be stored
        except WeightkitError as error:
            raise self._about(error) from error.__cause__
        values = np.empty(max(0, last - first), dtype=ref.dtype)
        if values.size and source:
            source.read_into(values.view(np.uint8).data, first * ref.dtype.itemsize)
        return values.reshape(ref.shape) if span == ALL else values

    def require_intact(self) -> None:
        """Check an archive's checksum of its weights; HDF5 alone has none.

        Raises:
            DamagedFileError: The checksum is wrong.
        """
        with self._held.in_use():
            try:
                self._container.require_intact()
            except WeightkitError as error:
                raise self._about(error) from error.__cause__

    def renamed(
        self, names: Mapping[WeightRef, WeightRef], configured: Mapping[str, Configured] | None = None
    ) -> FileStore:
        """The same open file with other references to its weights and more configurations.

        Do not use this store afterwards.
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
        """Refuse an impossible edit before anything is written; nothing is touched.

        Args:
            changing: The weights to get new values.
            destination: Where the new file would go.
            changes: What else would change.

        Raises:
            RequestError: The destination is invalid.
            RefusedError: The file cannot be edited this way.
        """
        with self._held.in_use():
            self._require_closed(destination)
            self._require_suffix(destination)
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
            RequestError: The store was opened for reading and would be edited in place, or was edited in place
                before; or the destination is invalid, or its name means another format.
            BusyError: Another process changed the file meanwhile.
        """
        with self._held.in_use(), self._editing(changing, destination, changes) as sink:
            yield sink

    @contextlib.contextmanager
    def _editing(
        self, changing: Sequence[WeightRef], destination: Destination, changes: Changes
    ) -> Iterator[PlacedSink]:
        if not self._editable and destination.output is None:
            raise RequestError(
                "it is open for reading only",
                hint="open it with open_weights(path, editable=True), or write elsewhere with output=",
                file=self.label,
            )
        self._require_closed(destination)
        self._require_suffix(destination)
        target = target_of(self._source, destination)
        datasets = {ref: self._contents.weights[ref] for ref in changing if ref.size}  # an empty weight has no bytes
        new = self._prepared(datasets, changes)
        replacement = Replacement(self._source, destination, target, self._bound(changes))
        try:
            fd, size = replacement.fd, self._source.size
            job = Job(self._container, self._index, self._scanner, fd, datasets, self.label, size)
            sink = self._writer(job, changes, new).begin()
            yield sink
            sink.complete()  # no effect if the caller did it already
            self.require_usable()  # another thread may have closed it meanwhile
            sink.outcome = replacement.commit()
        except WeightkitError as error:
            raise error.about(self.label) from error.__cause__
        except BaseException as error:
            # A note is there if something was changed, or if it is said already.
            if not hasattr(error, "__notes__"):
                error.add_note("nothing was changed")
            raise
        finally:
            # Also after an error: the descriptor here then leads to the old file, not to the one at the path.
            if replacement.is_in_place:
                self._held.mark_edited()
            replacement.discard()

    def _require_closed(self, destination: Destination) -> None:
        """Refuse to replace a file that another program may be writing: it would go on writing the old one."""
        if self._marked and destination.output is None:
            raise UnsupportedFileError(
                _MARKED, hint="close it in that program, or write elsewhere with -o OUT (output=)", file=self.label
            )

    def _require_suffix(self, destination: Destination) -> None:
        """Refuse to write this file's format under a name that promises another one; in place, the name stays."""
        if destination.output is not None:
            require_suffix(destination.output, self.format, self._contents.suffixes)

    def _prepared(self, datasets: Mapping[WeightRef, Dataset], changes: Changes) -> Index | None:
        """Refuse what cannot be done, before anything is written.

        Returns:
            The index of the file to build; None where patching a copy is enough.
        """
        try:
            for ref in datasets:
                if ref.stored_as:
                    raise UnsupportedFileError(
                        f"{ref.path}: it holds {ref.stored_as}, which is not a plain number and is never edited",
                        hint="leave it out of the selection",
                    )
            patched = not changes and all(dataset.offset is not None for dataset in datasets.values())
            new = None if patched else planned(self._index, self._types(changes), changes)
            # Decodes what is not contiguous, so that damage shows before the new file exists.
            for ref in datasets:
                self._values.of(ref)
        except WeightkitError as error:
            raise self._about(error) from error.__cause__
        return new

    def _about(self, error: WeightkitError) -> WeightkitError:
        """The error of reading values, with the file; where the other weights can be rescued, it says how."""
        if isinstance(error, DamagedFileError) and len(self) > 1 and not error.file:
            error.hint = with_salvage(error.hint, self.label)
        return error.about(self.label)

    def _writer(self, job: Job, changes: Changes, new: Index | None) -> Writer:
        if new is None:
            return Patch(job)
        tables = self._values.tables(job.changing)
        return Rebuild(job, changes, self._types(changes), new, tables, self._values.spool)

    def _types(self, changes: Changes) -> dict[str, np.dtype]:
        return {self._contents.weights[ref].path: dtype for ref, dtype in changes.types.items()}

    def _bound(self, changes: Changes) -> int:
        """Approximate upper bound of the new file's size, in bytes."""
        grown = sum((dtype.itemsize - ref.dtype.itemsize) * ref.size for ref, dtype in changes.types.items())
        gone = sum(d.size for path, d in self._index.datasets.items() if is_gone(path, changes.dropped))
        # Weights that were compressed in an archive are written back uncompressed.
        unpacked = 0 if self._container.holds_body else self._container.body.length
        return self._source.size + unpacked + max(0, grown) - gone

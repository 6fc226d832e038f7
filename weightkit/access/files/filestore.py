"""A weight file as a store: values come by exact offsets, an edit goes into a new file beside it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from weightkit.access.files.commit import Replacement, target_of
from weightkit.access.files.index import Index
from weightkit.access.files.patch import PatchSink
from weightkit.access.store import ALL, IN_PLACE, Destination
from weightkit.errors import RequestError, UnsupportedFileError, WeightkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from weightkit.access.files.index import Dataset
    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.files.scanner import Scanner
    from weightkit.access.ref import WeightRef


class Container(Protocol):
    """What lies around the HDF5 file: nothing, or an archive that keeps a checksum of it."""

    @property
    def start(self) -> int:
        """Where the HDF5 file begins, in bytes."""

    @property
    def length(self) -> int:
        """How long it is, in bytes."""

    def require_intact(self, source: OpenFile) -> None:
        """Check what the container says of the HDF5 file's bytes, before they are edited."""

    def seal(self, fd: int) -> None:
        """Make the container right for the edited bytes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a format found in a file: its weights, each with its dataset, and what is said of the whole."""

    format: str
    keras_version: str | None
    weights: Mapping[WeightRef, Dataset]
    ordered: bool
    config: Mapping[str, Any] | None


class FileStore:
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
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return self._source.size

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self._contents.weights)

    def __len__(self) -> int:
        return len(self._contents.weights)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the reading process and give the descriptor and its lock back."""
        self._scanner.close()
        self._source.close()

    def read(self, ref: WeightRef, span: slice = ALL) -> np.ndarray:
        """A copy of the values: the whole weight in its shape, or a flat span of its elements in C order."""
        first, last, _ = span.indices(ref.size)
        place = self._place(ref) if ref.size else 0  # before memory is taken: what lies nowhere can be of any size
        values = np.empty(max(0, last - first), dtype=ref.dtype)
        if values.size:
            self._source.read_into(values.view(np.uint8).data, place + first * ref.dtype.itemsize)
        return values.reshape(ref.shape) if span == ALL else values

    def renamed(self, names: Mapping[WeightRef, WeightRef]) -> FileStore:
        """The same open file, its weights known by other references; this store is then no longer to be used."""
        weights = {names[ref]: dataset for ref, dataset in self._contents.weights.items()}
        contents = replace(self._contents, weights=weights)
        return FileStore(self._source, self._scanner, self._container, self._index, contents, editable=self._editable)

    @contextlib.contextmanager
    def editing(self, changing: Sequence[WeightRef], destination: Destination = IN_PLACE) -> Iterator[PatchSink]:
        """Edit exactly the weights ``changing`` into a new file, verify it, and put it in place.

        Raises:
            RequestError: The store was opened for reading, or the destination cannot be.
            UnsupportedFileError: A weight to change does not lie in one plain piece.
            BusyError: Somebody changed the file meanwhile.
        """
        if not self._editable:
            raise RequestError(
                "it is open for reading only",
                mend="open it with open_weights(path, editable=True)",
                file=self.label,
            )
        target = target_of(self._source, destination)
        places = {ref: self._place(ref) for ref in changing if ref.size}
        replacement = Replacement(self._source, destination, target, self._source.size)
        try:
            sink = PatchSink(self._source, replacement.fd, places)
            sink.copy_unchanged()
            yield sink
            sink.require_complete()
            self._container.require_intact(self._source)
            self._container.seal(replacement.fd)
            self._verify(replacement.fd)
            sink.outcome = replacement.commit()
        except WeightkitError as error:
            raise error.about(self.label) from error.__cause__
        finally:
            replacement.discard()

    def _place(self, ref: WeightRef) -> int:
        """Where a weight's first byte lies in the file.

        Raises:
            UnsupportedFileError: It is in chunks, in a header, or was never written.
        """
        dataset = self._contents.weights[ref]
        if dataset.offset is not None:
            return self._container.start + dataset.offset
        ways = {
            "chunked": "in chunks" + (f" ({', '.join(dataset.filters)})" if dataset.filters else ""),
            "compact": "inside its header",
            "contiguous": "nowhere: it was declared and never written",
        }
        raise UnsupportedFileError(
            f"{ref.path}: its values are stored {ways[dataset.layout]}, and only contiguous values are read",
            mend=f"rewrite the file with `h5repack -l CONTI -f NONE {self.label} OUT`",
            file=self.label,
        )

    def _verify(self, fd: int) -> None:
        """Scan the new file in the reading process: it must be the same but for values."""
        length = self._container.length
        new = Index.of(self._scanner.records(fd, self._container.start, length), length)
        if new != self._index:
            raise AssertionError("the new file's structure differs from the old one's")


def elements(dataset: Dataset) -> int:
    """Number of elements of a dataset."""
    return 0 if dataset.shape is None else math.prod(dataset.shape)

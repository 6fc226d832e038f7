"""A file that opens: each weight is read, and only values that cannot be read are lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.changes import NO_CHANGES
from weightkit.access.edits.tiles import spans
from weightkit.access.salvage.remains import Remnant, State, digest_of_parts
from weightkit.errors import DamagedFileError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.changes import Changes
    from weightkit.access.hdf5.file_store import FileStore
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import Destination, Outcome


class ReadableFile:
    """A file that opens, as far as its weights can be read. Close it."""

    def __init__(self, store: FileStore) -> None:
        """Read every weight of an open file, which is closed with this.

        Raises:
            MachineError: The system failed.
        """
        self._store = store
        try:
            self.remnants = tuple(_remnant(store, ref) for ref in store)
            """Its weights, whole or not."""
        except BaseException:
            store.close()
            raise

    @property
    def label(self) -> str:
        """The file as the user named it."""
        return self._store.label

    @property
    def format(self) -> str:
        """Name of the format, which the new file has too."""
        return self._store.format

    @property
    def is_whole(self) -> bool:
        """Whether every weight can be read, so that there is nothing to rescue."""
        return all(remnant.state is State.WHOLE for remnant in self.remnants)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the whole file, one sentence each."""
        return self._store.notes

    def require_place(self, destination: Destination) -> None:
        """Refuse a destination where the new file cannot go; nothing is touched.

        Raises:
            RequestError: It cannot: it is the file itself, exists, or its name promises another format.
            DamagedFileError: Nothing is whole.
        """
        self._store.require_possible((), destination, self._changes())

    def write(self, destination: Destination) -> Outcome:
        """Write the file without what is lost; if nothing is, it is a copy, byte for byte.

        Raises:
            RequestError: As `require_place` does.
            DamagedFileError: Nothing is whole.
            MachineError: The system failed; nothing was put in place.
        """
        with self._store.editing((), destination, self._changes()) as sink:
            sink.complete()
        assert sink.outcome is not None  # noqa: S101  # it is set by then
        return sink.outcome

    def close(self) -> None:
        """Give back what is held of the machine; safe to call twice."""
        self._store.close()

    def _changes(self) -> Changes:
        lost = {remnant.structure for remnant in self.remnants if remnant.state is not State.WHOLE}
        if lost and len(lost) == len(self.remnants):
            raise DamagedFileError(
                "no weight in it is whole", hint="use another copy of the file", file=self._store.label
            )
        datasets = [self._store.dataset(ref) for ref in self._store]
        return self._store.layout.without([each for each in datasets if each.path in lost]) if lost else NO_CHANGES


def _remnant(store: FileStore, ref: WeightRef) -> Remnant:
    path, size = store.dataset(ref).path, math.prod(ref.shape) * ref.dtype.itemsize
    known = (ref.shape, store.dataset(ref).dtype, size)
    if ref.stored_as:  # text and the like: it goes with the file, as it is
        return Remnant(path, State.WHOLE, *known, present=size)
    try:
        return Remnant(path, State.WHOLE, *known, present=size, digest=digest_of_parts(_parts(store, ref)))
    except (DamagedFileError, UnsupportedFileError) as error:
        return Remnant(path, State.LOST, *known, why=error.problem.removeprefix(f"{ref.path}: "))


def _parts(store: FileStore, ref: WeightRef) -> Iterator[memoryview]:
    for span in spans(ref.size):
        yield np.ascontiguousarray(store.read(ref, span)).view(np.uint8).data

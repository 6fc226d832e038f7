"""A file that does not open: what is left of it, and how that is written as a new file."""

from __future__ import annotations

import contextlib
import zipfile
from typing import TYPE_CHECKING

from weightkit.access.files.commit import Replacement, require_place, target_of
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.output_suffix import LEGACY, require_suffix
from weightkit.access.formats.packing import Packing, Stored
from weightkit.access.formats.weights_h5 import CONFIG, METADATA, WEIGHTS
from weightkit.access.salvage.finding import archive_in, body_in
from weightkit.access.salvage.places import UNNAMED
from weightkit.access.salvage.rebuilt import loses_order, size_of, write_rebuilt
from weightkit.access.salvage.remains import State, remains_of
from weightkit.errors import DamagedFileError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.hdf5.limits import Limits
    from weightkit.access.salvage.remains import Remnant
    from weightkit.access.store import Destination, Outcome

_ARCHIVE, _OBJECTS = ".keras archive", "Keras weights, version 3"
_READABLE = 0o600 << 16  # the mode of a member, as `zipfile` sets it
_ROOM = 1 << 20  # bytes for the structure of the new file
_CHECKSUM = {
    True: "the archive's checksum of its weights is right",
    False: "the archive's checksum of its weights is wrong: some of their bytes were changed, and nothing says which",
    None: "HDF5 has no checksum of these values: a change inside of a weight cannot be seen",
}


class DamagedFile:
    """What is left of a file. Close it."""

    is_whole = False
    """Whether the file is sound, so that there is nothing to rescue."""

    def __init__(self, source: OpenFile, limits: Limits, problem: str) -> None:
        """Look for what is whole in an open file, which is closed with this.

        Args:
            source: The file.
            limits: What reading it may cost.
            problem: Why it does not open.

        Raises:
            UnsafeFileError: It makes more work than files of its size do.
            MachineError: The system failed.
        """
        self._source, self._problem = source, problem
        with contextlib.ExitStack() as held:
            held.enter_context(source)
            self._archive = archive_in(source, limits)
            if self._archive and self._archive.spool:
                held.enter_context(contextlib.closing(self._archive.spool))
            self._remains = held.enter_context(contextlib.closing(remains_of(body_in(source, self._archive), limits)))
            self._held = held.pop_all()

    @property
    def label(self) -> str:
        """The file as the user named it."""
        return self._source.name

    @property
    def format(self) -> str:
        """Name of the format of the new file, where the name of that asks for no other."""
        return _ARCHIVE if self._has_config else self._form()[0]

    @property
    def remnants(self) -> tuple[Remnant, ...]:
        """Its weights, whole or not."""
        return self._remains.remnants

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the whole file, one sentence each."""
        return tuple(self._notes())

    def require_place(self, destination: Destination) -> None:
        """Refuse a destination where the new file cannot go; nothing is touched.

        Raises:
            RequestError: It cannot: it is the damaged file, exists, or its name promises another format.
            DamagedFileError: Nothing is whole.
        """
        require_place(self._source, destination)
        self._is_archive(destination)

    def write(self, destination: Destination) -> Outcome:
        """Write what is whole, read it back, and put it in place.

        Raises:
            RequestError: As `require_place` does.
            DamagedFileError: Nothing is whole.
            MachineError: The system failed; nothing was put in place.
        """
        as_archive = self._is_archive(destination)
        target = target_of(self._source, destination)
        texts = sum(map(len, self._archive.texts.values())) if self._archive else 0
        new = Replacement(self._source, destination, target, size_of(self._remains) + texts + _ROOM)
        try:
            if as_archive:
                self._pack(new.fd)
            else:
                write_rebuilt(new.fd, 0, self._remains, self.label)
            return new.commit()
        finally:
            new.discard()

    def close(self) -> None:
        """Give back what is held of the machine; safe to call twice."""
        self._held.close()

    @property
    def _has_config(self) -> bool:
        return self._archive is not None and CONFIG in self._archive.texts

    def _form(self) -> tuple[str, tuple[str, ...]]:
        """The form of the HDF5 file, and the ends of the names of such files."""
        known = self._remains.places
        if known.is_legacy:
            return ("legacy HDF5 model" if known.top else "legacy HDF5 weights"), LEGACY
        if "" in known.groups and "schema" in known.groups[""].attributes:
            return "optimizer state", LEGACY
        return _OBJECTS, (".weights.h5", ".lora.h5")

    def _is_archive(self, destination: Destination) -> bool:
        """Whether the output is to be an archive; its name says so."""
        if not any(remnant.state is State.WHOLE for remnant in self.remnants):
            problem = f"no weight in it is whole: {self._problem}"
            raise DamagedFileError(problem, hint="use another copy of the file", file=self.label)
        name = str(destination.output)
        if not self._archive:
            require_suffix(name, *self._form())
            return False
        if self._has_config and not name.endswith(".h5"):
            require_suffix(name, _ARCHIVE, (".keras",))
            return True
        if name.endswith(".keras"):
            raise RequestError(
                "the model's configuration is lost, and without it no .keras archive can be written",
                hint="give a name that ends in .weights.h5",
                file=name,
            )
        require_suffix(name, *self._form())
        return False

    def _pack(self, fd: int) -> None:
        texts = self._archive.texts if self._archive else {}
        members = [Stored(_info(name), 0, b"", texts[name]) for name in (METADATA, CONFIG) if name in texts]
        packing = Packing(self._source, [*members, Stored(_info(WEIGHTS), 0, b"")], WEIGHTS, b"")
        with machine_errors("writing the archive", self.label):
            start = packing.begin(fd)
        length = write_rebuilt(fd, start, self._remains, self.label)
        with machine_errors("writing the archive", self.label):
            packing.finish(fd, length)

    def _notes(self) -> Iterator[str]:
        yield self._problem
        if self._archive:
            for name in (CONFIG, METADATA):
                if name not in self._archive.texts:
                    yield f"{name} is lost or damaged"
        if any(remnant.state is State.WHOLE for remnant in self.remnants):
            yield _CHECKSUM[self._archive.intact if self._archive else None]
        unnamed = sum(remnant.structure.startswith(f"{UNNAMED}/") for remnant in self.remnants)
        if unnamed:
            are = "1 weight is" if unnamed == 1 else f"{unnamed} weights are"
            yield f"the groups that named them are lost: {are} listed under {UNNAMED}"
        if loses_order(self._remains.places):
            yield "the list of the layers is lost: the new file lists them as they lie in the damaged one"


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = _READABLE
    return info

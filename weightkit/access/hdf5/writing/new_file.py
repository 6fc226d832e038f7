"""Write a new file of weights, whole or not at all, in place of whatever file is at its path."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.files.commit import recovered
from weightkit.access.files.copying import copy_range, write_all
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.replace import signals_held, sync_folder
from weightkit.access.files.temporary_file import Temporary
from weightkit.access.hdf5.index import Index
from weightkit.access.hdf5.scanner import Scanner
from weightkit.access.hdf5.writing.target_index import type_code
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADROOM = 64 << 20  # bytes that a new file's structure may take
_OF_AN_OBJECT = 4 << 10  # bytes of structure for a group or a dataset, roughly


Attributes = Mapping[str, str | list[str]]
"""Text and lists of text by name."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Values that lie in an open file one after another, and are copied as they are."""

    fd: int
    offset: int
    code: str
    """NumPy's code of their type; ``|V2`` for bfloat16."""
    shape: tuple[int, ...]
    nbytes: int

    def write(self, fd: int, place: int) -> None:
        """Copy them to a place of another file."""
        copy_range(self.fd, fd, self.offset, self.offset + self.nbytes, shift=place - self.offset)


@dataclass(frozen=True, slots=True)
class Fresh:
    """The contents of a new file."""

    groups: dict[str, Attributes]
    """Groups by their path, parents before children, the empty path for the root; with text and lists of text."""
    datasets: dict[str, np.ndarray | Stretch]
    attributes: dict[str, Attributes] = field(default_factory=dict)
    """Attributes of datasets, by their path."""


def write_fresh(path: str | os.PathLike[str], fresh: Fresh) -> Path:
    """Write a file, and replace whatever file is there.

    Returns:
        Where it is: a symbolic link is followed.

    Raises:
        RequestError: The folder does not exist, or the path is not a file.
        MachineError: The system failed; what was there is untouched.
    """
    name = os.fspath(path)
    with written_anew(name) as (fd, target):
        fill(fd, fresh, name)
    return target


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file that is no HDF5, whole or not at all, in the place of whatever file is there.

    Raises:
        RequestError: It cannot lie there: there is no such folder, or a folder is in its place.
        MachineError: The system failed; what was there is untouched.
    """
    with written_anew(os.fspath(path)) as (fd, _):
        write_all(fd, memoryview(content), 0)


@contextlib.contextmanager
def written_anew(name: str) -> Iterator[tuple[int, Path]]:
    """A descriptor for a new file, which then replaces whatever file is there; on an error nothing is replaced.

    Yields:
        The descriptor, and where the file goes: a symbolic link is followed.

    Raises:
        RequestError: The folder does not exist, or the path is not a file.
        MachineError: The system failed; what was there is untouched.
    """
    target = _target(name)
    recovered(target)
    temporary = Temporary.beside(target, 0o666)  # less the umask, as for any new file
    try:
        yield temporary.fd, target
        with machine_errors("writing the new file to the disk", name):
            if target.exists():
                # Without set-user-ID and set-group-ID: those were granted to the old content.
                os.fchmod(temporary.fd, target.stat().st_mode & 0o777)
            # Before the name changes: after a power cut, the name leads to a whole file, old or new.
            os.fsync(temporary.fd)
            with signals_held():
                temporary.path.replace(target)
        sync_folder(target)
    finally:
        temporary.discard()


def _target(name: str) -> Path:
    try:
        target = Path(name).resolve()
    except (RuntimeError, ValueError, OSError) as error:  # a loop of symbolic links, a null character
        raise RequestError(f"the path is invalid: {error}", hint="choose another name", file=name) from error
    if not target.parent.is_dir():
        raise RequestError(f"the folder {target.parent} does not exist", hint="create it first", file=name)
    if target.exists() and not target.is_file():
        raise RequestError("the path exists and is not a file", hint="give a file name", file=name)
    return target


def fill(fd: int, fresh: Fresh, name: str, start: int = 0) -> Index:
    """Write the contents of a new file from ``start`` on; its end is the end of the file.

    Returns:
        What the reading process finds in it, checked like any other file.

    Raises:
        MachineError: The system failed.
    """
    nbytes = sum(values.nbytes for values in fresh.datasets.values())
    objects = len(fresh.groups) + len(fresh.datasets)
    request = {
        "do": "make",
        "target_start": start,
        "groups": [[path, dict(attributes)] for path, attributes in fresh.groups.items()],
        "datasets": [
            [path, _code(values), list(values.shape), dict(fresh.attributes.get(path, {}))]
            for path, values in fresh.datasets.items()
        ],
        "writes": start + nbytes + objects * _OF_AN_OBJECT + _HEADROOM,
    }
    with Scanner() as scanner:
        [answer] = scanner.ask(request, fd)
        # Checked before bytes are written at the offsets that it gives.
        index = Index.of(scanner.records(fd, start, answer["built"]), answer["built"])
    with machine_errors("writing the new file", name):
        for path, values in fresh.datasets.items():
            offset = index.datasets[path].offset
            if offset is None:  # an empty array takes no space
                continue
            if isinstance(values, Stretch):
                values.write(fd, start + offset)
            else:
                write_all(fd, np.ascontiguousarray(values).reshape(-1).view(np.uint8).data, start + offset)
    return index


def _code(values: np.ndarray | Stretch) -> str:
    return values.code if isinstance(values, Stretch) else type_code(values.dtype)

"""One descriptor for a file, opened once, read by exact offsets, and watched for change."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weightkit.access.files.local_path import not_there
from weightkit.access.files.temporary_file import NO_LOCKS
from weightkit.errors import BusyError, DamagedFileError, MachineError, RequestError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from _typeshed import WriteableBuffer


_EDITED_HERE: dict[tuple[int, int], int] = {}
"""Files (device, inode) that are locked for editing, each with the process that did it: a fork inherits this."""
_LOCKED: weakref.WeakSet[OpenFile] = weakref.WeakSet()
"""All that hold a lock, or whose fork does."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What must stay the same while a file is open."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    """When anything of it changed, its mode or the other times too; no program can put this back."""
    links: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        """The identity from a ``stat`` result."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink
        )

    @property
    def content(self) -> Identity:
        """It without what another name for the file changes."""
        return replace(self, ctime_ns=0, links=0)


class OpenFile:
    """A regular file held by one read-only descriptor.

    A symbolic link is followed once, here: ``path`` is where the file really is.

    Raises:
        RequestError: There is nothing at the path.
        UnsupportedFileError: It is a folder, a pipe, a device or a socket.
        MachineError: It cannot be opened.
    """

    _locked_by: int | None = None
    """The process that locked it; None for a duplicate, which shares the lock of another descriptor."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self.alone = False
        """Whether no other process can hold a lock on it."""
        self.path = _resolved(self.name)
        self.fd = _open(self.path, self.name)
        self.status = os.fstat(self.fd)
        self.identity = Identity.of(self.status)
        try:
            _require_regular(self.status, self.name)
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, descriptor: int, name: str) -> Self:
        """An open file, by a duplicate of its descriptor; no path is used."""
        opened = cls.__new__(cls)
        opened.name, opened.alone, opened.path = name, False, Path(name)
        opened.fd = os.dup(descriptor)
        opened.status = os.fstat(opened.fd)
        opened.identity = Identity.of(opened.status)
        return opened

    @property
    def size(self) -> int:
        """Size in bytes when it was opened."""
        return self.identity.size

    def close(self) -> None:
        """Release the lock and close the descriptor; a fork only closes its copy."""
        if self.fd >= 0:
            if self._locked_by == os.getpid():
                self._unlock()
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lock(self, *, exclusive: bool) -> None:
        """Take the lock that libhdf5 takes too; on a file system without locks, go on without.

        Raises:
            RequestError: This process has the file open for editing.
            BusyError: Another process holds it, or changed the file before the lock was taken.
        """
        # Never waits: a program that keeps a model open may keep it for days.
        operation = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB
        try:
            fcntl.flock(self.fd, operation)
        except BlockingIOError:
            raise self._in_use(exclusive=exclusive) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        else:
            self.alone, self._locked_by = exclusive, os.getpid()
            _LOCKED.add(self)
            if exclusive:
                _EDITED_HERE[self._key] = os.getpid()
        # It may have been replaced after it was opened and before it was locked.
        self.require_unchanged()

    def _unlock(self) -> None:
        """A fork holds the same lock: closing the descriptor here does not release it while the fork lives."""
        if self.alone:
            _EDITED_HERE.pop(self._key, None)
        with contextlib.suppress(OSError):  # closing it is next
            fcntl.flock(self.fd, fcntl.LOCK_UN)

    def _in_use(self, *, exclusive: bool) -> RequestError | BusyError:
        if _EDITED_HERE.get(self._key) == os.getpid():
            return RequestError(
                "the file is open for editing in this process",
                hint="give another file or the open store, or close it first",
                file=self.name,
            )
        if any(each.is_open_here and each._key == self._key for each in _LOCKED):  # noqa: SLF001  # of this class
            return BusyError(
                "the file is open in this process, by a store that was not closed",
                hint="close the store first (store.close(), or a with statement)",
                file=self.name,
            )
        return BusyError(
            "the file is open elsewhere, in another process or in this one"
            if exclusive
            else "the file is open for writing elsewhere, in another process or in this one",
            hint="wait until it has finished, then try again",
            file=self.name,
        )

    @property
    def is_open_here(self) -> bool:
        """Whether this process locked it and has not closed it."""
        return self.fd >= 0 and self._locked_by == os.getpid()

    @property
    def _key(self) -> tuple[int, int]:
        return self.identity.device, self.identity.inode

    def require_unchanged(self) -> None:
        """Check that the path still leads to the file that was opened, unchanged.

        Raises:
            BusyError: The file was changed, replaced or removed since.
        """
        try:
            now: Identity | None = Identity.of(self.path.stat())
        except OSError:
            now = None
        # Both: the path may lead to another file, or the open file may have changed.
        if now != self.identity or Identity.of(os.fstat(self.fd)) != self.identity:
            raise BusyError(
                "another process changed the file since it was opened; nothing was written",
                hint="try again",
                file=self.name,
            )

    @contextlib.contextmanager
    def changing_links(self) -> Iterator[None]:
        """Unlink or link other names of it inside, and only that: its identity is as it is then."""
        self.require_unchanged()
        try:
            yield
        finally:
            now = Identity.of(os.fstat(self.fd))
            if now.content == self.identity.content:  # else it was changed, and is found to be so later
                self.identity = now

    def read_into(self, buffer: WriteableBuffer, offset: int) -> None:
        """Fill ``buffer`` with the bytes from ``offset`` on.

        Raises:
            DamagedFileError: The file ends before the buffer is full.
            MachineError: The disk failed.
        """
        read_exactly(self.fd, buffer, offset, self.name)

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on; fewer only at the end of the file."""
        return os.pread(self.fd, length, offset)


def read_exactly(fd: int, buffer: WriteableBuffer, offset: int, name: str) -> None:
    """Fill ``buffer`` with the bytes of an open file from ``offset`` on.

    Raises:
        DamagedFileError: The file ends before the buffer is full.
        MachineError: The disk failed.
    """
    view = memoryview(buffer).cast("B")
    done = 0
    while done < len(view):
        try:
            # In a loop: Linux reads at most 2 GiB in one call.
            count = os.preadv(fd, [view[done:]], offset + done)
        except OSError as error:
            raise MachineError(f"reading failed at byte {offset + done}: {error.strerror}", file=name) from error
        if count == 0:
            raise DamagedFileError(
                f"the file ends at byte {offset + done}, where {len(view) - done} more were expected",
                hint="it is truncated: use another copy",
                file=name,
            )
        done += count


def _resolved(name: str) -> Path:
    try:
        return Path(name).resolve(strict=True)
    except FileNotFoundError:
        raise not_there(name) from None
    # RuntimeError: a loop of symbolic links, before Python 3.13.
    except (OSError, RuntimeError) as error:
        raise MachineError(f"the path cannot be resolved: {_reason(error)}", file=name) from error
    except ValueError:
        raise RequestError("the path holds a null character", hint="check the path", file=name) from None


def _open(path: Path, name: str) -> int:
    # O_NONBLOCK: opening a pipe that nobody writes to must not hang.
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENODEV}:
            raise UnsupportedFileError("it is a socket or a device", hint="give a file", file=name) from None
        raise MachineError(f"it cannot be opened: {_reason(error)}", hint="check its permissions", file=name) from error


def _require_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise UnsupportedFileError(
            "it is a folder, not a weight file",
            hint="give an .h5, .weights.h5 or .keras file (a SavedModel folder holds none)",
            file=name,
        )
    raise UnsupportedFileError("it is a pipe or a device, not a file", hint="give a regular file", file=name)


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextlib.contextmanager
def machine_errors(action: str, file: str) -> Iterator[None]:
    """Turn OSError into MachineError, saying what was being done."""
    try:
        yield
    except OSError as error:
        raise MachineError(f"{action} failed: {_reason(error)}", file=file) from error

"""Put a new file in the place of an old one: whole or not at all, the old one kept.

The path holds the old or the new file at every instant. The new one is written beside it under a temporary name
and locked, so that a later run can tell a leftover from a file in use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range
from weightkit.access.files.openfile import machine_errors
from weightkit.access.store import Destination, Outcome
from weightkit.errors import DurabilityError, MachineError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.files.openfile import OpenFile

_SUFFIX = ".weightkit-tmp"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EOPNOTSUPP}
_TO_HOLD = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def target_of(source: OpenFile, destination: Destination) -> Path:
    """Where the new file will lie, symbolic links followed.

    Raises:
        RequestError: The output is the input, exists, or cannot be there; or the input has several hard links.
    """
    if destination.output is None:
        if source.status.st_nlink > 1:
            raise RequestError(
                f"it has {source.status.st_nlink} hard links, and an edit in place would part them",
                mend="write elsewhere with -o OUT",
                file=source.name,
            )
        return source.path
    return _output_target(source, destination)


def _output_target(source: OpenFile, destination: Destination) -> Path:
    named = str(destination.output)
    try:
        with machine_errors("looking at the output", named):
            target = Path(named).resolve()
            folder_exists, exists = target.parent.is_dir(), target.exists()
    except (RuntimeError, ValueError) as error:  # a circle of symbolic links, a null character
        raise RequestError(f"the output cannot be: {error}", mend="choose another name", file=named) from error
    if not folder_exists:
        raise RequestError(f"the folder {target.parent} does not exist", mend="create it first", file=named)
    if not exists:
        return target
    if target.is_dir():
        raise RequestError("the output is a folder", mend="give a file name", file=named)
    if target.samefile(source.path):
        raise RequestError("the output is the input", mend="leave out -o to edit in place", file=named)
    if not target.is_file():
        raise RequestError("the output is a pipe or a device", mend="give a file name", file=named)
    if not destination.overwrite:
        raise _exists_already(named)
    return target


class Replacement:
    """The new file while it is being written, and the act of putting it in place."""

    def __init__(self, source: OpenFile, destination: Destination, target: Path, size: int) -> None:
        self._source, self._destination, self._target = source, destination, target
        _require_space(target, size, source.name)
        self.path = _temporary_name(target)
        self.fd = _create(self.path, source.status.st_mode & 0o777 if destination.output else 0o600)
        try:
            with machine_errors("making room for the new file", str(target)):
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _reserve(self.fd, size)
        except BaseException:
            self.discard()
            raise

    def commit(self) -> Outcome:
        """Make it last, put it in place, keep the old one as asked."""
        with machine_errors("writing the new file to the disk", str(self._target)):
            if self._destination.output is None:
                _copy_status(self._source, self.fd)
            os.fsync(self.fd)
        with _signals_held():
            self._source.require_unchanged()
            if self._destination.output is not None:
                self._put_beside()
                return Outcome(self._target)
            return Outcome(self._target, self._replace_source())

    def discard(self) -> None:
        """Remove the temporary file, if it still is one; safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _put_beside(self) -> None:
        with machine_errors("putting the output in place", str(self._target)):
            if self._destination.overwrite:
                self.path.replace(self._target)
            else:
                _publish(self.path, self._target)
        _sync_folder(self._target)

    def _replace_source(self) -> Path | None:
        with machine_errors("putting the edited file in place", self._source.name):
            if not self._destination.backup:
                self.path.replace(self._target)
                kept = None
            else:
                kept = self._replace_keeping_old()
        _sync_folder(self._target)
        return kept

    def _replace_keeping_old(self) -> Path:
        old = self.path.with_suffix(".weightkit-old")
        try:
            os.link(self._target, old)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._replace_with_copied_backup()
        try:
            self.path.replace(self._target)
        except BaseException:
            old.unlink()
            raise
        try:
            return self._name_backup(old)
        except BaseException:
            old.replace(self._target)
            raise

    def _name_backup(self, old: Path) -> Path:
        for backup in _backup_names(self._target):
            with contextlib.suppress(FileExistsError):
                os.link(old, backup)
                old.unlink()
                return backup
        raise AssertionError("unreachable: the names do not end")

    def _replace_with_copied_backup(self) -> Path:
        """Where the file system knows no hard links, the backup is a copy, complete before the replacement."""
        for backup in _backup_names(self._target):
            with contextlib.suppress(FileExistsError):
                _copy_exclusively(self._source, backup)
                try:
                    self.path.replace(self._target)
                except BaseException:
                    backup.unlink()
                    raise
                return backup
        raise AssertionError("unreachable: the names do not end")


def _temporary_name(target: Path) -> Path:
    """A name of its own beside the target, and like it; names have at most 255 bytes."""
    start = os.fsdecode(os.fsencode(target.name)[:200])
    return target.with_name(f".{start}.{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}")


def _require_space(target: Path, size: int, name: str) -> None:
    with machine_errors("asking for free space", name):
        disk = os.statvfs(target.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < size:
        raise MachineError(
            f"the new file takes {size} bytes and {target.parent} has {free} free",
            mend="make room, or write elsewhere with -o OUT",
            file=name,
        )


def _reserve(fd: int, size: int) -> None:
    """Have the disk set the space aside: no surprise later, and each later write costs half as much (ext4)."""
    if hasattr(os, "posix_fallocate") and size:
        with contextlib.suppress(OSError):  # a file system that cannot, or no space: the write itself will say so
            os.posix_fallocate(fd, 0, size)
    os.ftruncate(fd, size)


def _create(path: Path, mode: int) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise MachineError(
            f"nothing can be written in {path.parent}: {error.strerror}", mend="write elsewhere with -o OUT"
        ) from error


def _copy_status(source: OpenFile, fd: int) -> None:
    """Give an edited file, or a copied backup, the owner, mode and extended attributes of the original."""
    status = source.status
    try:
        os.fchown(fd, status.st_uid, status.st_gid)
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.fchown(fd, -1, status.st_gid)
    os.fchmod(fd, status.st_mode & 0o7777)
    if hasattr(os, "listxattr"):
        _copy_extended_attributes(source.fd, fd)


def _copy_extended_attributes(source: int, fd: int) -> None:
    with contextlib.suppress(OSError):  # a file system without them
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):  # security.* may not be ours to set
                os.setxattr(fd, name, os.getxattr(source, name))


def _publish(temporary: Path, target: Path) -> None:
    """Give the file its name unless somebody took the name meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists_already(str(target)) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):  # without links no call does both at once; this leaves a moment
            raise _exists_already(str(target)) from None
        temporary.replace(target)
    else:
        temporary.unlink()


def _exists_already(output: str) -> RequestError:
    return RequestError("the output exists already", mend="choose another name, or give --force", file=output)


def _backup_names(target: Path) -> Iterator[Path]:
    yield target.with_name(f"{target.name}.bak")
    number = 0
    while True:
        number += 1
        yield target.with_name(f"{target.name}.bak.{number}")


def _copy_exclusively(source: OpenFile, backup: Path) -> None:
    with open(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as copy:  # noqa: PTH123
        try:
            copy_range(source.fd, copy.fileno(), 0, source.size)
            _copy_status(source, copy.fileno())
            os.utime(copy.fileno(), ns=(source.status.st_atime_ns, source.status.st_mtime_ns))
            os.fsync(copy.fileno())
        except BaseException:
            backup.unlink()
            raise


def _sync_folder(target: Path) -> None:
    try:
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DurabilityError(
            f"replaced, durability not confirmed: {error.strerror}",
            mend="run `sync` and check the disk",
            file=str(target),
        ) from error


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let no signal fall between two steps of the replacement; it arrives after them.

    Masking would not do: NumPy's threads take what this one does not, and Python then acts on it here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python acts on signals in the main thread alone
        return
    waiting: list[int] = []
    before = {}
    try:
        for number in _TO_HOLD:
            if signal.getsignal(number) is not None:
                before[number] = signal.signal(number, lambda arrived, _: waiting.append(arrived))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for arrived in waiting:
            signal.raise_signal(arrived)

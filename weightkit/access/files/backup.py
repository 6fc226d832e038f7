"""Backups of a file: ``NAME.bak``, ``NAME.bak.1``, ``NAME.bak.2``; none ever overwrites another.

A new backup gets the number after the highest existing one, so a higher number is always later, even where some
backups were removed and whatever the files' times say.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range
from weightkit.access.files.kept_status import copy_status
from weightkit.access.files.replace import publish
from weightkit.access.files.temporary_file import Temporary
from weightkit.errors import MachineError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.files.openfile import OpenFile


_ELSEWHERE = "give --no-backup, or write elsewhere with -o OUT"
_DIGITS = 5  # of a backup's number at most; dates, such as .260131 and .20260131, have more


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of a file."""

    path: Path
    number: int
    """0 for ``NAME.bak``, 1 for ``NAME.bak.1`` and so on; a higher number is later."""
    status: os.stat_result
    """Status of the name itself: a symbolic link is not followed."""

    @property
    def size(self) -> int:
        """Bytes of its content; 0 if it is not a file."""
        return self.status.st_size if stat.S_ISREG(self.status.st_mode) else 0

    @property
    def objection(self) -> str:
        """Why it cannot be restored, as the end of a sentence; empty if it can."""
        mode = self.status.st_mode
        if stat.S_ISLNK(mode):
            return "it is a symbolic link"
        if stat.S_ISDIR(mode):
            return "it is a folder"
        if not stat.S_ISREG(mode):
            return "it is a pipe or a device"
        if self.status.st_nlink > 1:
            return f"it has {self.status.st_nlink} hard links, and a change to one changes them all"
        return ""


def backups_of(target: Path) -> list[Backup]:
    """Everything beside a file that has the name of one of its backups, latest first."""
    pattern = re.compile(rf"{re.escape(target.name)}\.bak(?:\.([1-9][0-9]{{0,{_DIGITS - 1}}}))?")
    found = []
    with os.scandir(target.parent) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match:
                with contextlib.suppress(FileNotFoundError):
                    status = Path(entry.path).lstat()  # entry.stat() may lag on some systems
                    found.append(Backup(target.with_name(entry.name), int(match[1] or 0), status))
    return sorted(found, key=lambda backup: -backup.number)


def require_nameable(target: Path) -> None:
    """Check that the next backup can have a name: one that is not too long, and whose number is recognized later.

    Raises:
        RequestError: It would have none.
        MachineError: The folder cannot be listed, so nobody knows which names are free.
    """
    try:
        name = next(_next_names(target))
    except OSError as error:
        raise MachineError(
            f"its folder {target.parent} cannot be listed, so its backups cannot be numbered: {error.strerror}",
            hint=_ELSEWHERE,
        ) from error
    try:
        name.lstat()  # looking is enough to learn it; any other error says nothing about the length
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise RequestError("the name of its backup would be too long", hint=_ELSEWHERE) from None


def name_backup(old: Path, target: Path) -> Path:
    """Rename the old file, which has a hidden name, to the next backup."""
    for backup in _next_names(target):
        with contextlib.suppress(FileExistsError):
            # A link fails where the name is taken; a rename would replace what is there.
            os.link(old, backup)
            with contextlib.suppress(OSError):  # the extra name is cleared by the next edit
                old.unlink()
            return backup
    raise AssertionError("unreachable: past the last name is an error")


def copy_backup(source: OpenFile) -> Path:
    """Copy the file to the next backup; the copy is complete and on disk before it gets its name."""
    copy = Temporary.beside(source.path, 0o600)  # nobody else reads it before it has the original's mode
    try:
        copy_range(source.fd, copy.fd, 0, source.size)
        copy_status(source.fd, copy.fd)
        os.utime(copy.fd, ns=(source.status.st_atime_ns, source.status.st_mtime_ns))
        os.fsync(copy.fd)
        for backup in _next_names(source.path):
            with contextlib.suppress(FileExistsError):
                publish(copy.path, backup)
                return backup
        raise AssertionError("unreachable: past the last name is an error")
    finally:
        copy.discard()


def _next_names(target: Path) -> Iterator[Path]:
    present = backups_of(target)
    for number in range(present[0].number + 1 if present else 0, 10**_DIGITS):
        yield target.with_name(f"{target.name}.bak.{number}" if number else f"{target.name}.bak")
    raise RequestError(
        f"it has a backup {target.name}.bak.{10**_DIGITS - 1}, and no number follows",
        hint=f"move the backups that you no longer need away, or {_ELSEWHERE.removeprefix('give ')}",
        file=str(target),
    )

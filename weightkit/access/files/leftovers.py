"""What killed edits of a file left next to it: cleared when no process holds it, and never at the cost of a weight."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from weightkit.access.files.backup import backups_of, name_backup
from weightkit.access.files.temporary_file import NEW, hidden_names, leads_to, lock_alone

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.files.openfile import OpenFile


def leftovers_of(target: Path) -> list[tuple[Path, str]]:
    """Hidden files of edits of, or into, this path, with their suffix; those of running edits too."""
    pattern = hidden_names(target)
    with os.scandir(target.parent) as entries:
        found = [(entry.name, match[1]) for entry in entries if (match := pattern.fullmatch(entry.name))]
    return sorted((target.with_name(name), suffix) for name, suffix in found)


def clear_leftovers(target: Path, source: OpenFile | None = None) -> list[Path]:
    """Clear what killed edits of, or into, this path left in its folder.

    An unfinished new file is removed. An old file's hidden link is removed if the file still has its name or is
    already a backup; otherwise it is the only link to that file, and becomes the next backup.

    Args:
        target: The path, without symbolic links in it.
        source: The file to edit; this process holds its lock.

    Returns:
        The backups that were made.
    """
    recovered = []
    for path, suffix in leftovers_of(target):
        with contextlib.suppress(OSError):  # already gone, or it belongs to another user
            backup = _clear(path, suffix, target, source)
            if backup is not None:
                recovered.append(backup)
    return recovered


def _clear(path: Path, suffix: str, target: Path, source: OpenFile | None) -> Path | None:
    # Anything may have such a name: follow no link, and wait for no pipe.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not _is_nobodys(fd, source) or not leads_to(path, fd):
            return None
        if suffix == NEW or _has_a_name(status, target):
            path.unlink()
            return None
        return name_backup(path, target)
    finally:
        os.close(fd)


def _is_nobodys(fd: int, source: OpenFile | None) -> bool:
    if source is not None and source.alone and os.path.samestat(os.fstat(fd), os.fstat(source.fd)):
        return True  # this process holds the lock, so no other edit of it is running
    return lock_alone(fd) is True  # None, no locks: an edit may be running, so the file stays


def _has_a_name(old: os.stat_result, target: Path) -> bool:
    names = [backup.status for backup in backups_of(target)]
    with contextlib.suppress(FileNotFoundError):
        names.append(os.lstat(target))
    return any(os.path.samestat(old, other) for other in names)

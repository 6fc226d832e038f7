"""Replace a file by another and keep the old one as a backup: the last step of an edit in place and of a restore."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weightkit.access.files.backup import copy_backup, name_backup
from weightkit.access.files.replace import NO_LINKS
from weightkit.access.files.temporary_file import OLD, hidden_name
from weightkit.errors import DurabilityError

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.files.openfile import OpenFile


def exchange(new: Path, source: OpenFile, *, backup: bool) -> Path | None:
    """Replace ``source`` by the file ``new``; on failure, both files are unchanged.

    Args:
        new: A complete file in the source's folder; it loses this name.
        source: The file to replace, locked.
        backup: Whether the source is kept.

    Returns:
        The backup, if one is kept.
    """
    if not backup:
        new.replace(source.path)
        return None
    if has_other_links(source):
        return _exchange_with_copy(new, source)
    old = hidden_name(source.path, OLD)
    try:
        # A second name first: the old file has one at every moment, also if this process is killed.
        os.link(source.path, old)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _exchange_with_copy(new, source)
    try:
        new.replace(source.path)
    except BaseException:
        old.unlink()
        raise
    try:
        return name_backup(old, source.path)
    except BaseException:
        _undo(new, old, source.path)
        raise


def _undo(new: Path, old: Path, target: Path) -> None:
    try:
        # The new file gets its temporary name back, under which its writer removes it.
        os.link(target, new)
    except OSError as error:
        raise DurabilityError(
            f"replaced, but its backup could not be renamed and is {old} for now: {error.strerror}",
            hint="check the disk; the next edit of this file gives the backup its name",
        ) from error
    old.replace(target)


def has_other_links(source: OpenFile) -> bool:
    """Whether the file has other hard links; it may be changed through them, so its backup must be a copy."""
    return os.fstat(source.fd).st_nlink > 1


def _exchange_with_copy(new: Path, source: OpenFile) -> Path:
    copy = copy_backup(source)
    try:
        new.replace(source.path)
    except BaseException:
        copy.unlink()
        raise
    return copy

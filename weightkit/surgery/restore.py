"""Restore a backup of a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weightkit.access import find_backups, open_weights, put_back
from weightkit.arguments import boolean
from weightkit.errors import RefusedError, WeightkitError

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access import Backup, FileStore


@dataclass(frozen=True, slots=True)
class Backups:
    """The backups of one file, the latest first."""

    file: str
    """As the user named it."""
    found: tuple[Backup, ...]

    @property
    def nbytes(self) -> int:
        """Bytes that they take in all."""
        return sum(backup.size for backup in self.found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.backups/1",
            "file": self.file,
            "backups": [_described(backup) for backup in self.found],
            "bytes": self.nbytes,
        }


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did, or would do."""

    file: str
    """As the user named it."""
    path: Path
    """Where it is, with symbolic links followed."""
    backup: Backup
    """The backup that was restored; its name is free now."""
    kept: Path | None
    """The old file, now the latest backup; None if there was none or it was not kept."""
    dry_run: bool
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is wrong with the restored file, one sentence each: that it is no weight file, damaged, never closed."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.restore/1",
            "file": self.file,
            "dry_run": self.dry_run,
            "path": str(self.path),
            "restored": _described(self.backup),
            "kept": None if self.kept is None else str(self.kept),
            "notes": [*self.warnings, *self.notes],
        }


def list_backups(target: str | os.PathLike[str]) -> Backups:
    """List the backups of a file, the latest first; the file itself may be missing.

    Raises:
        RequestError: It is not a path, or there is no such folder.
        MachineError: The system failed.

    Example:
        >>> list_backups("model.h5").found  # doctest: +SKIP
    """
    found = find_backups(target)
    return Backups(os.fspath(target), found)


def restore(
    target: str | os.PathLike[str],
    to: str | int | None = None,
    *,
    backup: bool = True,
    break_links: bool = False,
    dry_run: bool = False,
) -> Restored:
    """Restore a backup of a file; the current file becomes the latest backup.

    The path holds the one file or the other at every moment, and nothing is copied: files are only renamed. Restoring
    twice undoes the first restore.

    Args:
        target: Path of the file; it may be missing.
        to: Name or number of the backup (0 is ``NAME.bak``); the latest by default.
        backup: Whether the current file is kept.
        break_links: Whether to replace a file that has other hard links (they keep the old content).
        dry_run: Only say what would be done.

    Raises:
        RequestError: It is not a path, or there is no such backup, or it cannot be restored.
        BusyError: Another process uses the file or the backup.
        MachineError: The system failed; the file is unchanged.

    Example:
        >>> restore("model.h5").kept  # doctest: +SKIP
    """
    for name, value in (("backup", backup), ("break_links", break_links), ("dry_run", dry_run)):
        boolean(name, value)
    done = put_back(target, to, backup=backup, break_links=break_links, dry_run=dry_run)
    content = done.backup.path if dry_run else done.path
    return Restored(os.fspath(target), done.path, done.backup, done.kept, bool(dry_run), done.notes, _warnings(content))


def _warnings(path: Path) -> tuple[str, ...]:
    try:
        with open_weights(path) as store:
            return (*store.notes, *_damage(store))
    except RefusedError as error:
        return (f"what is restored is not a file of weights: {error.problem}",)
    except WeightkitError:  # it was restored, and somebody else uses it already
        return ()


def _damage(store: FileStore) -> tuple[str, ...]:
    try:
        store.require_intact()
    except RefusedError as error:
        return (f"what is restored is damaged: {error.problem}",)
    return ()


def _described(backup: Backup) -> dict[str, Any]:
    return {
        "number": backup.number,
        "path": str(backup.path),
        "bytes": backup.size,
        "modified": datetime.fromtimestamp(backup.status.st_mtime, UTC).isoformat(timespec="seconds"),
        "problem": backup.objection or None,
    }

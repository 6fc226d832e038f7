"""Put a backup back in the place of the file that was made from it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weightkit.access.files.backup import Backup, backups_of, require_nameable
from weightkit.access.files.commit import link_note, parted_links, recovered
from weightkit.access.files.exchange import exchange
from weightkit.access.files.openfile import OpenFile, machine_errors
from weightkit.access.files.replace import publish, signals_held, sync_folder
from weightkit.errors import BusyError, RequestError, WeightkitError


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
    """Where it lies, symbolic links followed."""
    backup: Backup
    """The backup that was put back; nothing lies under its name any more."""
    kept: Path | None
    """The file as it was before: the latest backup now; None where there was none or it was not to be kept."""
    dry_run: bool
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.restore/1",
            "file": self.file,
            "dry_run": self.dry_run,
            "path": str(self.path),
            "restored": _described(self.backup),
            "kept": None if self.kept is None else str(self.kept),
            "notes": list(self.notes),
        }


def list_backups(target: str | os.PathLike[str]) -> Backups:
    """List the backups of a file, the latest first; the file itself may be gone.

    Raises:
        RequestError: There is no such folder.
        MachineError: The system failed.

    Example:
        >>> list_backups("model.h5").found  # doctest: +SKIP
    """
    with machine_errors("looking for backups", os.fspath(target)):
        return Backups(os.fspath(target), tuple(backups_of(_place_of(target))))


def restore(
    target: str | os.PathLike[str],
    to: str | int | None = None,
    *,
    backup: bool = True,
    break_links: bool = False,
    dry_run: bool = False,
) -> Restored:
    """Put a backup back in the place of a file, which becomes the latest backup itself.

    The path holds the one file or the other at every instant, and nothing is copied: names change places. Restoring
    twice therefore leads back to where one was.

    Args:
        target: Path of the file; it may be gone.
        to: Name or number of the backup (0 is ``NAME.bak``); the latest by default.
        backup: Whether the present file is kept.
        break_links: Whether to replace a file that has other hard links (they keep the old content).
        dry_run: Only say what would be done.

    Raises:
        RequestError: There is no such backup, or it cannot be put back.
        BusyError: Somebody else holds the file or the backup.
        MachineError: The system failed; the file is as it was.

    Example:
        >>> restore("model.h5").kept  # doctest: +SKIP
    """
    name = os.fspath(target)
    try:
        with machine_errors("restoring", name), ExitStack() as opened:
            place = _place_of(target)
            source = opened.enter_context(OpenFile(target)) if os.path.lexists(place) else None
            if source is not None and not dry_run:
                source.lock(exclusive=True)
            notes = link_note(name, place, "is restored, and its backups lie beside it")
            notes += () if dry_run else recovered(place, source)
            chosen = _chosen(name, place, to)
            _require_whole(chosen, source)
            if source is not None:
                notes += parted_links(source, part=break_links)
                if backup:
                    require_nameable(place)
            if dry_run:
                return Restored(name, place, chosen, None, dry_run=True, notes=notes)
            held = opened.enter_context(OpenFile(chosen.path))
            held.lock(exclusive=True)
            if not os.path.samestat(held.status, chosen.status):
                raise BusyError(f"{chosen.path.name} was replaced by somebody else just now", hint="try again")
            kept = _put_back(held, source, place, backup=backup)
            return Restored(name, place, chosen, kept, dry_run=False, notes=notes)
    except WeightkitError as error:
        raise error.about(name) from error.__cause__


def _place_of(path: str | os.PathLike[str]) -> Path:
    """Where the file lies or lay, symbolic links followed."""
    try:
        target = Path(path).resolve()
    except (RuntimeError, ValueError) as error:  # a circle of symbolic links, a null character
        raise RequestError(
            f"the path cannot be followed: {error}", hint="check the path", file=os.fspath(path)
        ) from error
    if not target.parent.is_dir():
        raise RequestError("there is no such file, nor its folder", hint="check the path", file=os.fspath(path))
    return target


def _chosen(name: str, target: Path, to: str | int | None) -> Backup:
    found = backups_of(target)
    if not found:
        raise RequestError(
            f"it has no backup: there is no {target.name}.bak beside it", hint="check the path", file=name
        )
    if to is None:
        return found[0]
    for backup in found:
        if _is_named(backup, str(to)):
            return backup
    names = ", ".join(backup.path.name for backup in found[:3]) + (" …" if len(found) > 3 else "")  # noqa: PLR2004
    raise RequestError(f"it has no backup {to}, but {names}", hint="see --list", file=name)


def _is_named(backup: Backup, to: str) -> bool:
    if to.isascii() and to.isdigit():
        return int(to) == backup.number
    return to == backup.path.name or (os.sep in to and Path(to).absolute() == backup.path)


def _require_whole(backup: Backup, source: OpenFile | None) -> None:
    if source is not None and os.path.samestat(backup.status, source.status):
        raise RequestError(f"{backup.path.name} is the file itself, by a hard link", hint="choose another with --to")
    if backup.objection:
        raise RequestError(
            f"{backup.path.name} cannot be put back: {backup.objection}", hint="choose another with --to"
        )


def _put_back(held: OpenFile, source: OpenFile | None, target: Path, *, backup: bool) -> Path | None:
    kept, done = None, False
    try:
        os.fsync(held.fd)
        with signals_held():
            held.require_unchanged()
            if source is None:
                _publish(held.path, target)
            else:
                source.require_unchanged()
                kept = exchange(held.path, source, backup=backup)
            done = True
            sync_folder(target)
    except BaseException as error:
        standing = f"{held.path.name} is back in its place" if done else "nothing was changed"
        error.add_note(standing + (f", the file as it was is {kept}" if kept else ""))
        raise
    return kept


def _publish(backup: Path, target: Path) -> None:
    try:
        publish(backup, target)
    except FileExistsError:
        raise BusyError("somebody else has just made this file", hint="try again", file=str(target)) from None


def _described(backup: Backup) -> dict[str, Any]:
    return {
        "number": backup.number,
        "path": str(backup.path),
        "bytes": backup.size,
        "modified": datetime.fromtimestamp(backup.status.st_mtime, UTC).isoformat(timespec="seconds"),
        "problem": backup.objection or None,
    }

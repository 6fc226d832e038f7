"""Put a backup back in the place of the file that was made from it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from weightkit.access.files.backup import Backup, backups_of, require_nameable
from weightkit.access.files.commit import link_note, parted_links, recovered, require_writable
from weightkit.access.files.exchange import exchange
from weightkit.access.files.openfile import OpenFile, machine_errors
from weightkit.access.files.replace import publish, signals_held, sync_folder
from weightkit.errors import BusyError, RequestError, WeightkitError


@dataclass(frozen=True, slots=True)
class PutBack:
    """What was put back, or would be."""

    path: Path
    """Where the file lies, symbolic links followed."""
    backup: Backup
    """The backup; nothing lies under its name any more."""
    kept: Path | None
    """The file as it was before; None where there was none or it was not to be kept."""
    notes: tuple[str, ...]


def find_backups(path: str | os.PathLike[str]) -> tuple[Backup, ...]:
    """What lies beside a file under the name of a backup of it, the latest first; the file itself may be gone."""
    with machine_errors("looking for backups", path_text(path)):
        return tuple(backups_of(_target(path)))


def put_back(
    path: str | os.PathLike[str], to: str | int | None, *, backup: bool, break_links: bool, dry_run: bool
) -> PutBack:
    """Put a backup back; the arguments are those of `weightkit.restore`.

    Raises:
        RequestError: There is no such backup, or it cannot be put back.
        BusyError: Somebody else holds the file or the backup.
        MachineError: The system failed; the file is as it was.
    """
    name = path_text(path)
    try:
        with machine_errors("restoring", name), ExitStack() as opened:
            return _restored(opened, name, to, backup=backup, break_links=break_links, dry_run=dry_run)
    except WeightkitError as error:
        raise error.about(name) from error.__cause__


def path_text(path: str | os.PathLike[str]) -> str:
    """The path as given, as text.

    Raises:
        RequestError: It is not a path, or is one in bytes.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str):
        raise RequestError(
            f"the file must be given by its path, got {type(path).__name__}",
            hint="give text or a path object, such as 'model.h5'",
        )
    return text


def _restored(
    opened: ExitStack, name: str, to: str | int | None, *, backup: bool, break_links: bool, dry_run: bool
) -> PutBack:
    target = _target(name)
    source = opened.enter_context(OpenFile(name)) if os.path.lexists(target) else None
    if source is not None and not dry_run:
        source.lock(exclusive=True)
    notes = link_note(name, target, "is restored, and its backups lie beside it")
    notes += () if dry_run else recovered(target, source)  # first: a killed edit may have left the latest backup
    chosen = _chosen(name, target, to)
    _require_whole(chosen, source)
    if source is not None:
        require_writable(source)
        notes += parted_links(source, part=break_links)
        if backup:
            require_nameable(target)
    if dry_run:
        return PutBack(target, chosen, None, notes)
    held = opened.enter_context(OpenFile(chosen.path))
    held.lock(exclusive=True)
    if not os.path.samestat(held.status, chosen.status):
        raise BusyError(f"{chosen.path.name} was replaced by somebody else just now", hint="try again")
    return PutBack(target, chosen, _put_back(held, source, target, backup=backup), notes)


def _target(path: str | os.PathLike[str]) -> Path:
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
    return to == backup.path.name or (os.sep in to and backup.path in (Path(to).resolve(), _in_its_folder(Path(to))))


def _in_its_folder(path: Path) -> Path:
    """The path with the links of its folders followed, but not itself."""
    return path.parent.resolve() / path.name


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
        os.fsync(held.fd)  # whoever wrote the file may never have synced it
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

"""Where an edited file goes, how it is written next to that place, and how it is put in place: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weightkit.access.files.backup import backups_of, require_nameable
from weightkit.access.files.exchange import exchange, has_other_links
from weightkit.access.files.kept_status import clear_special_bits, copy_status
from weightkit.access.files.leftovers import clear_leftovers, leftovers_of
from weightkit.access.files.openfile import machine_errors
from weightkit.access.files.replace import publish, signals_held, sync_folder
from weightkit.access.files.temporary_file import Temporary
from weightkit.access.store import Destination, Outcome
from weightkit.errors import MachineError, RequestError

if TYPE_CHECKING:
    from weightkit.access.files.openfile import OpenFile


@dataclass(frozen=True, slots=True)
class Target:
    """Where a new file goes, symbolic links followed."""

    path: Path
    notes: tuple[str, ...]
    """What the user should know about that place, a sentence each."""


def target_of(source: OpenFile, destination: Destination) -> Target:
    """Where the new file goes; leftovers of killed edits there are cleared.

    Raises:
        RequestError: The output is the input, exists, or cannot be there; or the input has several hard links or is
            read-only.
    """
    if destination.output is not None:
        path = _output_target(source, destination)
        return Target(path, (*link_note(str(destination.output), path, "is written"), *recovered(path)))
    require_writable(source)
    notes = (
        *link_note(source.name, source.path, "is edited, and its backups are next to it"),
        *recovered(source.path, source),
    )
    if destination.backup:
        require_nameable(source.path)
    return Target(source.path, (*notes, *parted_links(source, part=destination.break_links)))


def require_place(source: OpenFile, destination: Destination) -> None:
    """Refuse what `target_of` refuses, without touching anything.

    Raises:
        RequestError: The output is the input, exists, or cannot be there; or the input has several hard links or is
            read-only.
    """
    if destination.output is not None:
        _output_target(source, destination)
        return
    require_writable(source)
    if destination.backup:
        require_nameable(source.path)
    with contextlib.suppress(OSError):  # no permission to list the folder
        if leftovers_of(source.path):  # killed edits left some of the file's links; the next edit clears them
            return
    parted_links(source, part=destination.break_links)


def require_writable(source: OpenFile) -> None:
    """Check that the file's owner may write to it: replacing it asks for no such right, so nothing else would.

    Raises:
        RequestError: Its owner made it read-only.
    """
    mode = os.fstat(source.fd).st_mode
    if not mode & stat.S_IWUSR:
        raise RequestError(
            f"the file is read-only (mode {stat.S_IMODE(mode):04o})",
            hint="make it writable first (chmod u+w), or write elsewhere with -o OUT",
            file=source.name,
        )


def parted_links(source: OpenFile, *, part: bool) -> tuple[str, ...]:
    """A note about a file that is about to be replaced while it has other hard links.

    Raises:
        RequestError: It has other hard links, and ``part`` is False.
    """
    if not has_other_links(source):
        return ()
    count = os.fstat(source.fd).st_nlink
    if not part:
        raise RequestError(
            f"it has {count} hard links, and replacing it breaks them apart (the others keep the old content)",
            hint="give --break-links (break_links=True) to replace it anyway, or write elsewhere with -o OUT",
            file=source.name,
        )
    return (f"it had {count} hard links: the others keep the old content",)


def link_note(named: str, target: Path, what: str) -> tuple[str, ...]:
    """A note about a file whose name is a symbolic link: where the work is done."""
    return (f"{named} is a symbolic link: {target} {what}",) if Path(named).is_symlink() else ()


def recovered(target: Path, source: OpenFile | None = None) -> tuple[str, ...]:
    """Clear what killed edits left next to a file; returns notes about it."""
    changing = contextlib.nullcontext() if source is None else source.changing_links()
    with contextlib.suppress(OSError), changing:  # a folder may be writable but not listable
        return tuple(
            f"a killed edit left a copy of the old file: it is kept as {backup}"
            for backup in clear_leftovers(target, source)
        )
    return ()


def _output_target(source: OpenFile, destination: Destination) -> Path:
    named = str(destination.output)
    try:
        with machine_errors("looking at the output", named):
            target = Path(named).resolve()
            folder_exists, exists = target.parent.is_dir(), target.exists()
    except (RuntimeError, ValueError) as error:  # a loop of symbolic links, a null character
        raise RequestError(f"the output path is invalid: {error}", hint="choose another name", file=named) from error
    if not folder_exists:
        raise RequestError(f"the folder {target.parent} does not exist", hint="create it first", file=named)
    if not exists:
        return target
    if target.is_dir():
        raise RequestError("the output is a folder", hint="give a file name", file=named)
    if target.samefile(source.path):
        raise RequestError("the output is the input", hint="leave out -o to edit in place", file=named)
    if not target.is_file():
        raise RequestError("the output is a pipe or a device", hint="give a file name", file=named)
    if not destination.overwrite:
        raise _exists_already(named)
    return target


class Replacement:
    """The new file while it is written, and how it is put in place."""

    def __init__(self, source: OpenFile, destination: Destination, target: Target, size: int) -> None:
        self._source, self._destination, self._target = source, destination, target
        in_place = destination.output is None
        # The backup of a file with other links is a copy, which takes space too.
        copied = source.size if in_place and destination.backup and has_other_links(source) else 0
        _require_space(target.path, size + copied, source.name)
        # Nobody else reads it before it has the mode of the file whose place it takes.
        private = in_place or target.path.exists()
        self._temporary = Temporary.beside(target.path, 0o600 if private else source.status.st_mode & 0o777)
        try:
            with machine_errors("making room for the new file", str(target.path)):
                _reserve(self.fd, size)
        except BaseException as error:
            self.discard()
            error.add_note("nothing was changed")
            raise

    @property
    def fd(self) -> int:
        """The new file's descriptor."""
        return self._temporary.fd

    def commit(self) -> Outcome:
        """Sync it to disk, put it in place, keep the old file as asked."""
        with machine_errors("writing the new file to the disk", str(self._target.path)):
            self._notes = (*self._target.notes, *self._keep_status())  # before the sync, which covers it too
            os.fsync(self.fd)
        outcome = None
        try:
            with signals_held():
                self._source.require_unchanged()  # last: nothing slow comes between this check and the replacement
                outcome = self._put_beside() if self._destination.output is not None else self._replace_source()
        except BaseException as error:
            # A signal that was held back arrives only now, after the replacement.
            if outcome is not None:
                error.add_note(f"the edit was complete: {_described(outcome)}")
            raise
        return outcome

    @property
    def is_in_place(self) -> bool:
        """Whether the new file has replaced the source, even if a later step failed."""
        if self._destination.output is not None:
            return False
        try:
            return os.path.samestat(self._target.path.stat(), os.fstat(self.fd))
        except OSError:
            return False

    def discard(self) -> None:
        """Remove the new file, if it has no other name; safe to call twice."""
        self._temporary.discard()

    def _keep_status(self) -> tuple[str, ...]:
        """Make the new file as private, and as open, as the one whose place it takes, as that one is now."""
        if self._destination.output is None:
            return copy_status(self._source.fd, self.fd)
        if not self._target.path.exists():
            return ()
        return tuple(f"{self._target.path}: {note}" for note in copy_status(self._target.path, self.fd))

    def _put_beside(self) -> Outcome:
        target = self._target.path
        with machine_errors("putting the output in place", str(target)):
            if self._destination.overwrite:
                self._temporary.path.replace(target)
            else:
                try:
                    publish(self._temporary.path, target)
                except FileExistsError:  # it appeared since `target_of` looked
                    raise _exists_already(str(target)) from None
        sync_folder(target)
        return Outcome(target, notes=self._notes)

    def _replace_source(self) -> Outcome:
        target = self._target.path
        with machine_errors("putting the edited file in place", self._source.name):
            kept = exchange(self._temporary.path, self._source, backup=self._destination.backup)
        sync_folder(target)
        return Outcome(target, kept, *_held_by_backups(target), (*self._notes, *self._tamed(kept)))

    def _tamed(self, backup: Path | None) -> tuple[str, ...]:
        """Take the special rights from the old file if it is the backup now; under other names it stays as it is."""
        if backup is None or not os.path.samestat(backup.lstat(), os.fstat(self._source.fd)):
            return ()
        return clear_special_bits(self._source.fd)


def _described(outcome: Outcome) -> str:
    kept = f", the old file is {outcome.backup}" if outcome.backup else ""
    return f"{outcome.output} holds the result{kept}"


def _held_by_backups(target: Path) -> tuple[int, int]:
    """How many backups a file has, and their total size in bytes."""
    with contextlib.suppress(OSError):  # only information, and the edit is done
        sizes = [backup.size for backup in backups_of(target)]
        return len(sizes), sum(sizes)
    return 0, 0


def _require_space(target: Path, size: int, name: str) -> None:
    with machine_errors("asking for free space", name):
        disk = os.statvfs(target.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < size:
        raise MachineError(
            f"the new file needs {size} bytes, but {target.parent} has {free} free",
            hint="make room, or write elsewhere with -o OUT",
            file=name,
        )


def _reserve(fd: int, size: int) -> None:
    """Reserve disk space: no surprise later, and each later write costs half as much (ext4)."""
    if hasattr(os, "posix_fallocate") and size:
        with contextlib.suppress(OSError):  # not supported, or no space: then the write itself fails
            os.posix_fallocate(fd, 0, size)
    os.ftruncate(fd, size)


def _exists_already(output: str) -> RequestError:
    return RequestError("the output exists already", hint="choose another name, or give --force", file=output)

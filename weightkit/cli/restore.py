"""``weightkit restore``: restore a backup."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import options, output
from weightkit.cli.output import Column
from weightkit.errors import RequestError
from weightkit.text import size

if TYPE_CHECKING:
    from weightkit.access import Backup
    from weightkit.surgery.restore import Backups, Restored

_COLUMNS = (
    Column("number", number=True),
    Column("written"),
    Column("size", number=True),
    Column("backup", least=16),
    Column("problem"),
)


def restore(
    file: options.File,
    *,
    listed: Annotated[
        bool, typer.Option("--list", "-l", help="List the backups, the latest first, and do nothing.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "-t",
            metavar="BACKUP",
            show_default=False,
            help="Which backup, by name or number; 0 is FILE.bak. Otherwise the latest.",
        ),
    ] = None,
    no_backup: options.NoBackup = False,
    break_links: options.BreakLinks = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """Restore a backup of FILE; the current FILE becomes the latest backup.

    Files are only renamed, never copied, and FILE is the one file or the other at every moment. Restoring twice undoes
    the first restore. FILE may be missing. Off a terminal, --list prints number, date, bytes, path and problem,
    separated by tabs; the date is that of the content, and a higher number is a later backup.

    \b
    Examples:
      weightkit restore model.h5 --list
      weightkit restore model.h5 --dry-run
      weightkit restore model.h5 --to model.h5.bak
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery import restore as library  # noqa: PLC0415  # nothing is loaded for --help

    if listed:
        if to is not None:
            raise RequestError("--list and --to must not be given together", hint="leave one of them out")
        return _list(library.list_backups(file))
    done = library.restore(file, to, backup=not no_backup, break_links=break_links, dry_run=dry_run)
    return _done(done)


def _list(backups: Backups) -> output.Result:
    count = len(backups.found)
    return output.Result(
        record=backups.to_dict(),
        heading=(f"{backups.file}: {count} backup{'' if count == 1 else 's'}, {size(backups.nbytes)}",),
        columns=_COLUMNS,
        rows=tuple(
            (str(backup.number), _date(backup), size(backup.size), backup.path.name, backup.objection)
            for backup in backups.found
        ),
        lines=tuple(
            (str(backup.number), _date(backup), str(backup.size), str(backup.path), backup.objection)
            for backup in backups.found
        ),
    )


def _date(backup: Backup) -> str:
    # Local time, as `ls -l` shows it.
    return datetime.fromtimestamp(backup.status.st_mtime).astimezone().isoformat(" ", "seconds")


def _done(done: Restored) -> output.Result:
    verb = "would be" if done.dry_run else "is"
    heading = f"{done.file}: {done.backup.path.name} of {_date(done.backup)} {verb} restored"
    if done.dry_run:
        standing = "nothing was changed: this was a dry run"
    else:
        standing = f"the old file is kept as {done.kept}" if done.kept else "the old file is not kept"
    return output.Result(
        record=done.to_dict(),
        heading=(heading,),
        lines=(("restore", str(done.path), str(done.backup.path)),),
        warnings=done.warnings,
        notes=(standing, *done.notes),
    )

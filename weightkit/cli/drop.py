"""``weightkit drop``: take weights out of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.cli import editing, options, output

if TYPE_CHECKING:
    from weightkit.access import FileStore, Plan


def drop(
    file: options.File,
    *,
    where: options.Where = None,
    exclude: options.Exclude = None,
    like: options.Like = None,
    out: options.Output = None,
    force: options.Force = False,
    no_backup: options.NoBackup = False,
    break_links: options.BreakLinks = False,
    verify: options.Verify = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """Take weights out of a file, of whatever kind, and out of its lists of names.

    All other weights stay as they are, byte for byte. The plan says what Keras will say of the result.

    \b
    Examples:
      weightkit drop model.h5 --where 'name:bias' --dry-run
      weightkit drop model.keras --where kind:optimizer -o without.keras
    """  # noqa: D301  # \b keeps the examples' lines apart

    def planned(store: FileStore) -> Plan:
        from weightkit.access import plan_edit  # noqa: PLC0415  # it loads NumPy
        from weightkit.surgery.drop import drop as drop_some  # noqa: PLC0415

        return plan_edit(store, drop_some(), where or None, exclude or None)

    return editing.run(
        file, planned, editing.Output(out, force, no_backup, break_links), like=like, verify=verify, dry_run=dry_run
    )

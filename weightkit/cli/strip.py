"""``weightkit strip``: take out what only training needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.cli import editing, options, output

if TYPE_CHECKING:
    from weightkit.access import FileStore, Plan


def strip(
    file: options.File,
    *,
    out: options.Output = None,
    force: options.Force = False,
    no_backup: options.NoBackup = False,
    break_links: options.BreakLinks = False,
    verify: options.Verify = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """Take the optimizer's state and the training configuration out of a file.

    These are two thirds of most files. The weights stay as they are, byte for byte, and the file shrinks by all that
    went. After loading such a model, compile it again.

    \b
    Examples:
      weightkit strip model.keras --dry-run
      weightkit strip model.keras
      weightkit strip model.h5 -o small.h5
    """  # noqa: D301  # \b keeps the examples' lines apart

    def planned(store: FileStore) -> Plan:
        from weightkit.access import plan_edit  # noqa: PLC0415  # it loads NumPy
        from weightkit.surgery.strip import strip as strip_all  # noqa: PLC0415

        return plan_edit(store, strip_all())

    return editing.run(
        file, planned, editing.Output(out, force, no_backup, break_links), verify=verify, dry_run=dry_run
    )

"""``weightkit cast``: store weights in another type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import editing, options, output

if TYPE_CHECKING:
    from weightkit.access import FileStore, Plan


def cast(
    file: options.File,
    *,
    to: Annotated[
        str,
        typer.Option("--to", "-t", metavar="TYPE", show_default=False, help="float16, bfloat16, float32 or float64."),
    ],
    where: options.Where = None,
    exclude: options.Exclude = None,
    like: options.Like = None,
    out: options.Output = None,
    force: options.Force = False,
    no_backup: options.NoBackup = False,
    break_links: options.BreakLinks = False,
    verify: options.Verify = False,
    allow_nonfinite: options.AllowNonfinite = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """Store weights in another floating-point type, each value rounded once to the nearest.

    Without --where, all parameters are cast. Values that become infinite are refused; those that lose digits, or
    become zero, are counted.

    \b
    Examples:
      weightkit cast model.keras --to float16 --dry-run
      weightkit cast model.keras --to float16 -o half.keras
      weightkit cast model.weights.h5 --to bfloat16 --where role:kernel -o brain.weights.h5
    """  # noqa: D301  # \b keeps the examples' lines apart

    def planned(store: FileStore) -> Plan:
        from weightkit.access import plan_edit  # noqa: PLC0415  # it loads NumPy
        from weightkit.surgery.cast import cast as cast_to  # noqa: PLC0415

        return plan_edit(store, cast_to(to), where or None, exclude or None)

    destination = editing.Output(out, force, no_backup, break_links)
    return editing.run(
        file, planned, destination, like=like, allow_nonfinite=allow_nonfinite, verify=verify, dry_run=dry_run
    )

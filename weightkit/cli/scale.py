"""``weightkit scale``: multiply weights by a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import editing, options, output

if TYPE_CHECKING:
    from weightkit.access import FileStore, Plan


def scale(
    file: options.File,
    *,
    factor: Annotated[
        float,
        typer.Option(
            "--factor",
            "-f",
            metavar="NUMBER",
            show_default=False,
            help="What to multiply by; 0 makes every chosen weight zero.",
        ),
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
    """Multiply weights by a number, bit for bit as NumPy does in the weights' own type.

    Without --where, all parameters are scaled; statistics (such as moving means), seeds, integers, quantized weights
    and optimizer state are left as they are, and the plan says so. FILE is edited in place and kept as FILE.bak,
    unless -o names another file.

    \b
    Examples:
      weightkit scale model.h5 --factor 0.5 --dry-run
      weightkit scale model.h5 --factor 0.5
      weightkit scale model.keras --factor 2 --where encoder --exclude role:bias -o louder.keras
    """  # noqa: D301  # \b keeps the examples' lines apart

    def planned(store: FileStore) -> Plan:
        from weightkit.access import plan_edit  # noqa: PLC0415  # it loads NumPy
        from weightkit.transforms.scale import scale as scale_by  # noqa: PLC0415

        return plan_edit(store, scale_by(factor), where or None, exclude or None)

    destination = editing.Output(out, force, no_backup, break_links)
    return editing.run(
        file, planned, destination, like=like, allow_nonfinite=allow_nonfinite, verify=verify, dry_run=dry_run
    )

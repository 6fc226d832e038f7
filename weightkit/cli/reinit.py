"""``weightkit reinit``: draw weights anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import editing, options, output

if TYPE_CHECKING:
    from weightkit.access import FileStore, Plan


def reinit(
    file: options.File,
    *,
    initializer: Annotated[
        str | None,
        typer.Option(
            "--initializer",
            "-i",
            metavar="NAME",
            show_default=False,
            help="One of Keras', with arguments or without: he_normal, orthogonal, 'random_normal(stddev=0.02)'. "
            "Without it, as the configuration in FILE says.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            "-s",
            metavar="NUMBER",
            show_default=False,
            help="An integer from 0 on: the same one draws the same again. Without it, a fresh one, which is printed.",
        ),
    ] = None,
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
    """Draw weights anew, as they began or by one initializer of Keras'.

    Without --initializer, all parameters and statistics begin again as the model's configuration in FILE says, and
    as Keras does unasked: forget gates open, moving variances at one. With it, all parameters are drawn by it.
    Seeds, integers, quantized weights and optimizer state are left as they are.

    \b
    Examples:
      weightkit reinit model.keras --seed 7 --dry-run
      weightkit reinit model.h5 --seed 7
      weightkit reinit model.weights.h5 --initializer he_normal --where role:kernel -o fresh.weights.h5
    """  # noqa: D301  # \b keeps the examples' lines apart

    def planned(store: FileStore) -> Plan:
        from weightkit.access import plan_edit  # noqa: PLC0415  # it loads NumPy
        from weightkit.transforms.reinitialize import reinitialize  # noqa: PLC0415

        return plan_edit(store, reinitialize(initializer, seed=seed), where or None, exclude or None)

    destination = editing.Output(out, force, no_backup, break_links)
    return editing.run(
        file, planned, destination, like=like, allow_nonfinite=allow_nonfinite, verify=verify, dry_run=dry_run
    )

"""``weightkit cast``: store weights in another type."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weightkit.cli import editing


@editing.command()
def cast(
    *,
    to: Annotated[
        str,
        typer.Option("--to", "-t", metavar="TYPE", show_default=False, help="float16, bfloat16, float32 or float64."),
    ],
) -> Any:
    """Store weights in another floating-point type, each value rounded once to the nearest.

    Without --where, all parameters are cast. Values that become infinite are refused; those that lose digits, or
    become zero, are counted.

    \b
    Examples:
      weightkit cast model.keras --to float16 --dry-run
      weightkit cast model.keras --to float16 -o half.keras
      weightkit cast model.weights.h5 --to bfloat16 --where role:kernel -o brain.weights.h5
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.surgery.cast import Cast  # noqa: PLC0415  # it loads NumPy

    return Cast(to)

"""``weightkit scale``: multiply weights by a number."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weightkit.cli import editing


@editing.command()
def scale(
    *,
    factor: Annotated[
        float,
        typer.Option(
            "--factor",
            "-f",
            metavar="NUMBER",
            show_default=False,
            help="What to multiply by; 0 makes every selected weight zero.",
        ),
    ],
) -> Any:
    """Multiply weights by a number, bit for bit as NumPy does in the weights' own type.

    Without --where, all parameters are scaled; statistics (such as moving means), seeds, integers, quantized weights
    and optimizer state stay unchanged, and the plan says so. FILE is edited in place and the old file is kept as
    FILE.bak, unless -o names another file.

    \b
    Examples:
      weightkit scale model.h5 --factor 0.5 --dry-run
      weightkit scale model.h5 --factor 0.5
      weightkit scale model.keras --factor 2 --where encoder --exclude role:bias -o louder.keras
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.transforms.scale import Scale  # noqa: PLC0415  # it loads NumPy

    return Scale(factor)

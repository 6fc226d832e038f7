"""``weightkit show``: what a file holds."""

from __future__ import annotations

from typing import Annotated

import typer

from weightkit.cli import options, output


def show(
    file: options.File,
    *,
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Measure the values: least, greatest, mean, deviation, norm, zeros, NaNs and infinities.",
        ),
    ] = False,
    where: options.Where = None,
    exclude: options.Exclude = None,
    like: options.Like = None,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """List the weights of a file: names, shapes, types and kinds, optimizer state too.

    On a terminal this is a table; elsewhere one line a weight, its fields separated by tabs: path, structure, class,
    shape, type, kind, bytes and, with --stats, the measures.

    \b
    Examples:
      weightkit show model.h5
      weightkit show model.keras --stats --where 'encoder/**/kernel'
      weightkit show model.weights.h5 --json
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.access.open import open_weights  # noqa: PLC0415  # nothing heavy is loaded for --help

    with open_weights(file, like=like) as store:
        from weightkit.access.listing import list_weights  # noqa: PLC0415

        return output.Result.of_listing(list_weights(store, where, exclude, stats=stats))

"""``weightkit show``: what a file contains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import options, output
from weightkit.cli.output import Column

if TYPE_CHECKING:
    from weightkit.inspect.listed_weight import Listed
    from weightkit.inspect.listing import Listing


def show(
    file: options.File,
    *,
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Measure the values: minimum, maximum, mean, standard deviation, norm, zeros, NaNs and infinities.",
        ),
    ] = False,
    where: options.Where = None,
    exclude: options.Exclude = None,
    like: options.Like = None,
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """List the weights of a file: names, shapes, dtypes and kinds, optimizer state too.

    On a terminal this is a table; elsewhere it is one line per weight, with tabs between fields: path, structure,
    class, shape, dtype, kind, bytes and, with --stats, the measures.

    \b
    Examples:
      weightkit show model.h5
      weightkit show model.keras --stats --where 'encoder/**/kernel'
      weightkit show model.weights.h5 --json
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.inspect.show import show as listed  # noqa: PLC0415  # nothing heavy is loaded for --help

    return _result(listed(file, where or None, exclude or None, stats=stats, like=like))


def _result(listing: Listing) -> output.Result:
    from weightkit.inspect.table import listing_table  # noqa: PLC0415

    table = listing_table(listing.weights, with_statistics=listing.with_statistics)
    return output.Result(
        record=listing.to_dict(),
        heading=(listing.heading(),),
        columns=tuple(_column(*column) for column in zip(table.headings, table.numeric, strict=True)),
        rows=table.rows,
        lines=tuple(_line(listed, with_statistics=listing.with_statistics) for listed in listing.weights),
        warnings=listing.file_notes,
        notes=(listing.summary(), *listing.notes),
    )


def _column(heading: str, number: bool) -> Column:
    return Column(heading, number, least=16 if heading == "weight" else 0)


def _line(listed: Listed, *, with_statistics: bool) -> tuple[str, ...]:
    from weightkit.inspect.table import MEASURES, cells  # noqa: PLC0415

    ref = listed.ref
    shape = ",".join(map(str, ref.shape)) or "scalar"
    known = (ref.path, ref.structure, ref.layer_class or "", shape, ref.dtype_text, str(ref.kind), str(ref.nbytes))
    return (*known, *cells(listed, MEASURES, "{!r}")) if with_statistics else known

"""``weightkit show``: what a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from weightkit.cli import options, output
from weightkit.cli.output import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.inspect.listing import Listed, Listing

_MEASURES = ("min", "max", "mean", "std", "norm", "zeros", "nan", "inf")
_RARE = {"nan", "inf"}
_WEIGHT, _SHAPE = Column("weight", least=16), Column("shape", number=True)


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
    from weightkit.access import open_weights  # noqa: PLC0415  # nothing heavy is loaded for --help

    with open_weights(file, like=like) as store:
        from weightkit.inspect.listing import list_weights  # noqa: PLC0415

        return _result(list_weights(store, where, exclude, stats=stats))


def _result(listing: Listing) -> output.Result:
    totals = listing.totals()
    kinds = ", ".join(f"{total['weights']} {kind}" for kind, total in totals["kinds"].items())
    version = f", Keras {listing.keras_version}" if listing.keras_version else ""
    columns, rows = _measured_table(listing) if listing.with_statistics else _table(listing)
    return output.Result(
        record=listing.to_dict(),
        heading=(f"{listing.file}: {listing.format}{version}, {output.size(listing.file_bytes)}",),
        columns=columns,
        rows=rows,
        lines=tuple(_line(listed, with_statistics=listing.with_statistics) for listed in listing.weights),
        notes=(
            f"{totals['weights']} weights, {totals['elements']} elements, {output.size(totals['bytes'])}"
            + (f": {kinds}" if kinds else ""),
            *listing.notes,
        ),
    )


def _table(listing: Listing) -> tuple[tuple[Column, ...], tuple[tuple[str, ...], ...]]:
    columns = (_WEIGHT, Column("class"), _SHAPE, Column("dtype"), Column("kind"), Column("size", number=True))
    rows = tuple(
        (ref.path, ref.layer_class or "", ref.shape_text, str(ref.dtype), str(ref.kind), output.size(ref.nbytes))
        for ref in (listed.ref for listed in listing.weights)
    )
    return columns, rows


def _measured_table(listing: Listing) -> tuple[tuple[Column, ...], tuple[tuple[str, ...], ...]]:
    """Measures take the room of class, type and kind; NaNs and infinities have columns where there are any."""
    found = {name for listed in listing.weights for name, value in _values(listed).items() if value}
    names = [name for name in _MEASURES if name not in _RARE or name in found]
    columns = (_WEIGHT, _SHAPE, *(Column(name, number=True) for name in names))
    rows = tuple(
        (listed.ref.path, listed.ref.shape_text, *_cells(listed, names, "{:.3g}")) for listed in listing.weights
    )
    return columns, rows


def _line(listed: Listed, *, with_statistics: bool) -> tuple[str, ...]:
    ref = listed.ref
    shape = ",".join(map(str, ref.shape)) or "scalar"
    known = (ref.path, ref.structure, ref.layer_class or "", shape, str(ref.dtype), str(ref.kind), str(ref.nbytes))
    return (*known, *_cells(listed, _MEASURES, "{!r}")) if with_statistics else known


def _cells(listed: Listed, names: Sequence[str], form: str) -> list[str]:
    values = _values(listed)
    return ["" if values.get(name) is None else _number(values[name], form) for name in names]


def _number(value: float, form: str) -> str:
    return str(value) if isinstance(value, int) else form.format(value)


def _values(listed: Listed) -> dict[str, Any]:
    return listed.statistics.to_dict() if listed.statistics else {}

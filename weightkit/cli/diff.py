"""``weightkit diff``: what differs between the weights of two files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weightkit.cli import options, output
from weightkit.cli.output import Column

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.compare.result import Diff, WeightDiff

_MEASURES = ("relative_l2", "max_abs", "cosine", "changed")


def diff(
    a: options.First,
    b: options.Second,
    *,
    rtol: Annotated[
        float,
        typer.Option(
            "--rtol", metavar="NUMBER", help="Relative tolerance: a weight is close within atol + rtol * |b|."
        ),
    ] = 0.0,
    atol: Annotated[float, typer.Option("--atol", metavar="NUMBER", help="Absolute tolerance.")] = 0.0,
    where: options.Where = None,
    exclude: options.Exclude = None,
    match: options.Match = "auto",
    json: options.Json = False,  # noqa: ARG001  # every command takes it; the printing looks at it
) -> output.Result:
    """Compare the weights of two files, of the same format or not, and say what changed.

    The most changed weights come first; equal ones are only counted. Optimizer state is compared too, and reported
    separately. Exits with 0 if nothing differs or everything is within the tolerances, else with 1. Off a terminal,
    prints one line per weight that differs, with tabs between fields: status, path in A, path in B, kind, relative L2,
    largest difference, cosine, changed elements, what happened.

    \b
    Examples:
      weightkit diff model.h5.bak model.h5
      weightkit diff model.h5.bak model.h5 --rtol 1e-5 --where role:kernel
      weightkit diff model.keras model.keras --json
    """  # noqa: D301  # \b keeps the examples' lines apart
    from weightkit.compare.diff import diff as compare  # noqa: PLC0415  # nothing heavy is loaded for --help

    with output.progress(_size(a)) as advance:
        return _result(compare(a, b, rtol=rtol, atol=atol, where=where, exclude=exclude, match=match, progress=advance))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _result(found: Diff) -> output.Result:
    from weightkit.compare.result import HEADINGS, cells  # noqa: PLC0415

    changed = found.changed()
    return output.Result(
        record=found.to_dict(),
        heading=(f"{found.a} and {found.b}: weights matched by {found.match.by}",),
        columns=tuple(_column(number, heading) for number, heading in enumerate(HEADINGS)),
        rows=tuple(cells(weight) for weight in changed),
        lines=tuple(_line(weight) for weight in (*changed, *(w for w in found.optimizer if w.differs))),
        notes=found.lines(),
        # As `diff` and `cmp` exit.
        code=int(not found.equal),
    )


def _column(number: int, heading: str) -> Column:
    return Column(heading, number=2 <= number <= 4, least=16 if number == 0 else 0)  # noqa: PLR2004  # the measures


def _line(weight: WeightDiff) -> tuple[str, ...]:
    record = weight.to_dict()
    measures = ("" if record.get(name) is None else repr(record[name]) for name in _MEASURES)
    paths = ("" if ref is None else ref.path for ref in (weight.ours, weight.theirs))
    return (str(weight.status), *paths, str(weight.ref.kind), *measures, weight.what)

"""All printing: tables for people on a terminal, tab-separated lines elsewhere, one JSON object where asked."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.escape import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weightkit.access.listing import Listed, Listing
    from weightkit.access.plan import Report
    from weightkit.access.ref import WeightRef
    from weightkit.errors import WeightkitError

_WORTH_PROGRESS = 256 << 20  # bytes; less is done before anybody could read it
_SHAPES = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading on a terminal, and whether its cells are numbers."""

    heading: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a command has to say, in the three ways it may be asked to."""

    record: dict[str, Any]
    """The JSON object."""
    heading: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """For people: what fits a terminal."""
    lines: tuple[tuple[str, ...], ...] = ()
    """For programs: complete fields, a line each."""
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of_listing(cls, listing: Listing) -> Result:
        """What ``show`` says."""
        measures = _MEASURES if listing.with_statistics else ()
        totals = listing.totals()
        kinds = ", ".join(f"{total['weights']} {kind}" for kind, total in totals["kinds"].items())
        version = f", Keras {listing.keras_version}" if listing.keras_version else ""
        return cls(
            record=listing.to_dict(),
            heading=(f"{listing.file}: {listing.format}{version}, {size(listing.file_bytes)}",),
            columns=(
                Column("weight"),
                Column("class"),
                Column("shape", number=True),
                Column("dtype"),
                Column("kind"),
                Column("size", number=True),
                *(Column(name, number=True) for name in measures),
            ),
            rows=tuple(_row(listed, measures) for listed in listing.weights),
            lines=tuple(_line(listed, measures) for listed in listing.weights),
            notes=(
                f"{totals['weights']} weights, {totals['elements']} elements, {size(totals['bytes'])}"
                + (f": {kinds}" if kinds else ""),
            ),
        )

    @classmethod
    def of_report(cls, report: Report) -> Result:
        """What an edit says, done or only planned."""
        plan = report.plan
        weights = f"{len(plan.chosen)} of {len(plan.chosen) + len(plan.skipped)} weights, {size(plan.nbytes)}"
        verb = "would change" if report.outcome is None else "changed"
        return cls(
            record=report.to_dict(),
            heading=(f"{plan.label}: {plan.transform!r} {verb} {weights}",),
            columns=(
                Column("weight"),
                Column("shape", number=True),
                Column("dtype"),
                Column("kind"),
                Column("size", number=True),
            ),
            rows=tuple((ref.path, _shape(ref), str(ref.dtype), str(ref.kind), size(ref.nbytes)) for ref in plan.chosen),
            lines=(
                *(("change", ref.path, ref.structure) for ref in plan.chosen),
                *(("leave", skipped.ref.path, skipped.ref.structure, skipped.reason) for skipped in plan.skipped),
            ),
            notes=(*_left(report), *plan.notes, *_where_it_went(report)),
        )


_MEASURES = ("min", "max", "mean", "std", "norm", "zeros", "nan", "inf")


def show(result: Result, *, as_json: bool) -> None:
    """Print a command's result on standard output; remarks go to standard error where that is for programs."""
    if as_json:
        sys.stdout.write(json.dumps(result.record) + "\n")
    elif sys.stdout.isatty():
        _show_to_people(result)
    else:
        for line in result.lines:
            sys.stdout.write("\t".join(escape(cell) for cell in line) + "\n")
        sys.stdout.flush()
        for remark in (*result.heading, *result.notes):
            say(remark)


def show_error(error: WeightkitError, code: int, *, as_json: bool) -> None:
    """One line on standard error; as JSON an object on standard output besides."""
    say(f"weightkit: {error}")
    if as_json:
        record = {
            "schema": "weightkit.error/1",
            "error": type(error).__name__,
            "exit": code,
            "file": error.file or None,
            "problem": error.problem,
            "mend": error.mend or None,
        }
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(json.dumps(record) + "\n")
            sys.stdout.flush()


def say(remark: str) -> None:
    """One line on standard error, unless nobody listens there."""
    with contextlib.suppress(OSError):
        sys.stderr.write(escape(remark) + "\n")


def size(count: int) -> str:
    """Bytes for people: ``4.3 MiB``."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_SHAPES) - 1:  # noqa: PLR2004  # binary units
        amount, unit = amount / 1024, unit + 1
    return f"{count} {_SHAPES[0]}" if unit == 0 else f"{amount:.1f} {_SHAPES[unit]}"


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """Show bytes, rate and time left on standard error, when it is a terminal and the work is long."""
    if total < _WORTH_PROGRESS or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  # only where it is seen
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _show_to_people(result: Result) -> None:
    from rich.console import Console  # noqa: PLC0415  # only where it is seen
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for line in result.heading:
        console.print(Text(escape(line), style="bold"))
    if result.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in result.columns:
            table.add_column(column.heading, justify="right" if column.number else "left", overflow="fold")
        for row in result.rows:
            table.add_row(*(Text(escape(cell)) for cell in row))
        console.print(table)
    for line in result.notes:
        console.print(Text(escape(line), style="dim"))


def _row(listed: Listed, measures: tuple[str, ...]) -> tuple[str, ...]:
    ref = listed.ref
    return (
        ref.path,
        ref.layer_class or "",
        _shape(ref),
        str(ref.dtype),
        str(ref.kind),
        size(ref.nbytes),
        *_measured(listed, measures, "{:.4g}"),
    )


def _line(listed: Listed, measures: tuple[str, ...]) -> tuple[str, ...]:
    ref = listed.ref
    return (
        ref.path,
        ref.structure,
        ref.layer_class or "",
        ",".join(map(str, ref.shape)),
        str(ref.dtype),
        str(ref.kind),
        str(ref.nbytes),
        *_measured(listed, measures, "{!r}"),
    )


def _measured(listed: Listed, measures: tuple[str, ...], form: str) -> list[str]:
    values = listed.statistics.to_dict() if listed.statistics else {}
    return ["" if values.get(name) is None else form.format(values[name]) for name in measures]


def _shape(ref: WeightRef) -> str:
    return "x".join(map(str, ref.shape)) or "scalar"


def _left(report: Report) -> Iterator[str]:
    for reason, count in report.plan.reasons().items():
        yield f"left as they are: {count}, {reason}"


def _where_it_went(report: Report) -> Iterator[str]:
    outcome = report.outcome
    for ref, counts in report.nonfinite.items():
        yield f"{ref.path}: {counts.infinities} new infinities, {counts.nans} new NaNs"
    if outcome is None:
        yield "nothing was changed: this was a dry run"
    elif outcome.output is not None:
        yield f"written to {outcome.output}"
        if outcome.backup is not None:
            yield f"the file as it was: {outcome.backup} ({size(outcome.backup.stat().st_size)})"

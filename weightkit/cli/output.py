"""All printing: tables on a terminal, tab-separated lines elsewhere, one JSON object with ``--json``."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from weightkit.escape import escape, escape_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from weightkit.errors import WeightkitError

_WORTH_PROGRESS = 256 << 20  # bytes; less is done before anybody can read it


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading on a terminal, and whether its cells are numbers."""

    heading: str
    number: bool = False
    least: int = 0
    """Minimum width in characters."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command prints, in each of the three forms."""

    record: dict[str, Any]
    """The JSON object."""
    heading: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """For people: what fits on a terminal."""
    lines: tuple[tuple[str, ...], ...] = ()
    """For programs: complete fields, one line per row."""
    warnings: tuple[str, ...] = ()
    """What nobody should overlook, before the notes."""
    notes: tuple[str, ...] = ()
    code: int = 0
    """The exit code: 1 where a comparison found differences."""


def show(result: Result, *, as_json: bool) -> None:
    """Print a command's result on standard output; off a terminal, notes go to standard error."""
    if sys.stdout is None:  # the parent process closed it
        return
    if as_json:
        sys.stdout.write(json.dumps(result.record) + "\n")
    elif sys.stdout.isatty():
        _show_to_people(result)
    else:
        for line in result.lines:
            sys.stdout.write("\t".join(escape_cell(cell) for cell in line) + "\n")
        # Before the notes, which are to come last where both streams go to one file.
        sys.stdout.flush()
        for remark in (*result.heading, *result.warnings, *result.notes):
            say(escape(remark))


def show_error(error: WeightkitError, code: int, *, as_json: bool) -> None:
    """Print one line on standard error, and with ``as_json`` an object on standard output too."""
    more = {"file": error.file or None, "problem": error.problem, "hint": error.hint or None}
    show_problem(type(error).__name__, str(error), code, as_json=as_json, **more)


def show_problem(kind: str, line: str, code: int, *, as_json: bool, **more: str | None) -> None:
    """The same for a problem that is not a `WeightkitError`: one line, escaped; ``more`` completes the object."""
    say(f"weightkit: {line}")
    if as_json:
        known = {"file": None, "problem": line, "hint": None}
        record = {"schema": "weightkit.error/1", "error": kind, "exit": code} | known | more
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(json.dumps(record) + "\n")
            sys.stdout.flush()


def say(remark: str) -> None:
    """Print one line on standard error, unless it is closed; its names are escaped already."""
    with contextlib.suppress(OSError, AttributeError):  # closed, or None
        sys.stderr.write(f"{remark}\n")


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """Show bytes, rate and time left on standard error, if it is a terminal and the work is long."""
    if total < _WORTH_PROGRESS or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  # only if it is shown
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
    from rich.console import Console  # noqa: PLC0415  # only if it is shown
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # Rich would color numbers in names.
    console = Console(highlight=False)
    # As Text, since Rich reads [brackets] in a plain string as markup.
    for line in result.heading:
        console.print(Text(escape(line), style="bold"))
    if result.rows and _least_width(result) > console.width:
        _stack(result, console)
    elif result.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for number, column in enumerate(result.columns):
            # On a narrow terminal the first column, the weight, is folded; nothing is cut off.
            justify: Literal["right", "left"] = "right" if column.number else "left"
            table.add_column(
                column.heading, justify=justify, overflow="fold", no_wrap=number > 0, min_width=column.least
            )
        for row in result.rows:
            table.add_row(*(Text(escape_cell(cell)) for cell in row))
        console.print(table)
    for line in result.warnings:
        console.print(Text(escape(line)))
    for line in result.notes:
        console.print(Text(escape(line), style="dim"))


def _least_width(result: Result) -> int:
    """The narrowest table that loses no column: all but the first at full width, two characters apart."""
    cells = zip(*result.rows, strict=True)
    widths = [max(map(len, (column.heading, *below))) for column, below in zip(result.columns, cells, strict=True)]
    return result.columns[0].least + sum(widths[1:]) + 2 * len(widths[1:])


def _stack(result: Result, console: Console) -> None:
    """Print each row as a paragraph, on a terminal that is too narrow for the table."""
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    for first, *rest in result.rows:
        console.print(Text(escape_cell(first)))
        cells = zip(result.columns[1:], rest, strict=True)
        # The no-break space keeps a heading and its value on one line.
        shown = (f"{column.heading}\u00a0{escape_cell(cell)}" for column, cell in cells if cell)
        console.print(Padding(Text("  ".join(shown), style="dim"), (0, 0, 0, 2)))

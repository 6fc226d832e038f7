"""A listing as a table of text: headings and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.text import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.inspect.listed_weight import Listed

MEASURES = ("min", "max", "mean", "std", "norm", "zeros", "nan", "inf")
_RARE = {"nan", "inf"}
_WIDEST = 400  # characters of a column
_WORDS = {"weight", "class", "dtype", "kind"}


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows of a table, with the weight first."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers, and are right-aligned."""
        return tuple(heading not in _WORDS for heading in self.headings)


def listing_table(weights: Sequence[Listed], *, with_statistics: bool) -> Table:
    """Class, shape, type, kind and size of each weight; measures take their room where there are some."""
    return _measured(weights) if with_statistics else _plain(weights)


def aligned(table: Table) -> Iterator[str]:
    """The table as lines, its columns two spaces apart; one very long cell makes its own line longer, not all."""
    lines = (table.headings, *table.rows)
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, table.numeric, strict=True)
        yield "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip()


def cells(listed: Listed, names: Sequence[str], form: str) -> list[str]:
    """Some measures of a weight as text; empty if there are none."""
    values = _values(listed)
    return ["" if values.get(name) is None else _number(values[name], form) for name in names]


def _plain(weights: Sequence[Listed]) -> Table:
    refs = [listed.ref for listed in weights]
    return Table(
        ("weight", "class", "shape", "dtype", "kind", "size"),
        tuple(
            (ref.path, ref.layer_class or "", ref.shape_text, ref.dtype_text, str(ref.kind), size(ref.nbytes))
            for ref in refs
        ),
    )


def _measured(weights: Sequence[Listed]) -> Table:
    """NaNs and infinities have columns where there are any."""
    found = {name for listed in weights for name, value in _values(listed).items() if value}
    names = [name for name in MEASURES if name not in _RARE or name in found]
    rows = tuple((listed.ref.path, listed.ref.shape_text, *cells(listed, names, "{:.3g}")) for listed in weights)
    return Table(("weight", "shape", *names), rows)


def _number(value: float, form: str) -> str:
    return str(value) if isinstance(value, int) else form.format(value)


def _values(listed: Listed) -> dict[str, Any]:
    return listed.statistics.to_dict() if listed.statistics else {}

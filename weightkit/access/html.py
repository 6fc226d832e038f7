"""How notebooks show what is printed elsewhere: one table, everything in it escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from weightkit.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef

_WEIGHT_HEADINGS = ("weight", "shape", "type", "kind")
_MOST = 200
"""Rows that are shown; a notebook with ten thousand is no help."""


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> str:
    r"""A table as HTML, its caption above and its notes below; nothing in it can be markup or steer a reader.

    >>> table("m.h5", ["weight"], [["a<b>\x1b"]])
    '<table><caption>m.h5</caption><tr><th>weight</th></tr><tr><td>a&lt;b&gt;\\x1b</td></tr></table>'
    """
    listed = list(rows)
    lines = [_row("th", headings), *(_row("td", row) for row in listed[:_MOST])]
    more = [f"and {len(listed) - _MOST} more"] if len(listed) > _MOST else []
    below = "".join(f"<div>{_safe(note)}</div>" for note in (*more, *notes))
    return f"<table><caption>{_safe(caption)}</caption>{''.join(lines)}</table>{below}"


def weight_table(caption: str, refs: Iterable[WeightRef], notes: Iterable[str] = ()) -> str:
    """A table of weights."""
    rows = ((ref.path, str(ref.shape), str(ref.dtype), str(ref.kind)) for ref in refs)
    return table(caption, _WEIGHT_HEADINGS, rows, notes)


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(cell)}</{tag}>' for cell in cells)}</tr>"


def _safe(text: str) -> str:
    return html.escape(escape(text))

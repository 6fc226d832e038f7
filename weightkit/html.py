"""HTML tables for notebooks, with everything in them escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from weightkit.escape import escape, escape_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST = 200
"""Rows that are shown at most; nobody reads ten thousand of them in a notebook."""


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> str:
    r"""A table as HTML with a caption above and notes below; no text can become markup or control characters.

    >>> table("m.h5", ["weight"], [["a<b>\x1b"]])
    '<table><caption>m.h5</caption><tr><th>weight</th></tr><tr><td>a&lt;b&gt;\\x1b</td></tr></table>'
    """
    listed = list(rows)
    lines = [_row("th", headings), *(_row("td", row) for row in listed[:_MOST])]
    more = [f"and {len(listed) - _MOST} more"] if len(listed) > _MOST else []
    below = "".join(f"<div>{html.escape(escape(note))}</div>" for note in (*more, *notes))
    return f"<table><caption>{html.escape(escape(caption))}</caption>{''.join(lines)}</table>{below}"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(escape_cell(cell))}</{tag}>' for cell in cells)}</tr>"

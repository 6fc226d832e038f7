"""What notebooks show: an HTML table with everything in it escaped; and a store in one line."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from weightkit.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

WEIGHT_HEADINGS = ("weight", "shape", "type", "kind")
_MOST = 200
"""Rows that are shown; nobody reads ten thousand of them in a notebook."""


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> str:
    r"""A table as HTML, its caption above and its notes below; nothing in it can become markup or control characters.

    >>> table("m.h5", ["weight"], [["a<b>\x1b"]])
    '<table><caption>m.h5</caption><tr><th>weight</th></tr><tr><td>a&lt;b&gt;\\x1b</td></tr></table>'
    """
    listed = list(rows)
    lines = [_row("th", headings), *(_row("td", row) for row in listed[:_MOST])]
    more = [f"and {len(listed) - _MOST} more"] if len(listed) > _MOST else []
    below = "".join(f"<div>{_safe(note)}</div>" for note in (*more, *notes))
    return f"<table><caption>{_safe(caption)}</caption>{''.join(lines)}</table>{below}"


def weight_rows(refs: Iterable[WeightRef]) -> Iterator[tuple[str, str, str, str]]:
    """The rows of a table of weights, under `WEIGHT_HEADINGS`."""
    return ((ref.path, str(ref.shape), str(ref.dtype), str(ref.kind)) for ref in refs)


def in_words(store: WeightStore) -> str:
    """One line about a store, for its ``repr``."""
    return f"<{type(store).__name__} {store.label!r}: {store.format}, {sum(1 for _ in store)} weights>"


def store_table(store: WeightStore) -> str:
    """A table of a store's weights."""
    return table(f"{store.label}: {store.format}", WEIGHT_HEADINGS, weight_rows(store))


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(cell)}</{tag}>' for cell in cells)}</tr>"


def _safe(text: str) -> str:
    return html.escape(escape(text))

"""A table of weights for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.html import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_HEADINGS = ("weight", "shape", "type", "kind")


def weight_table(caption: str, refs: Iterable[WeightRef], notes: Iterable[str] = ()) -> str:
    """A table of weights with a caption above and notes below."""
    return table(caption, _HEADINGS, ((ref.path, str(ref.shape), ref.dtype_text, str(ref.kind)) for ref in refs), notes)

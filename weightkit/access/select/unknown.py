"""What to say of an address that leads to no weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.ref import Kind
from weightkit.access.select.pattern_escape import escape_pattern
from weightkit.access.select.suggestions import nearest
from weightkit.errors import SelectionError, UnknownWeightError
from weightkit.escape import escape_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef


_SHOWN = 3


def unknown_weight(address: str, refs: Iterable[WeightRef], label: str) -> UnknownWeightError:
    """The error, with the nearest addresses; for a layer, with its weights."""
    refs = tuple(refs)
    if inside := _inside(address, refs):
        hint = f"give one of {', '.join(map(escape_cell, inside[:_SHOWN]))}"
        return UnknownWeightError(f"'{address}' is a layer, not a weight", hint=hint, file=label)
    try:
        near = nearest(escape_pattern(address), refs)
    except SelectionError:
        near = []
    hint = f"did you mean {' or '.join(near)}?" if near else "`weightkit show` lists what is there"
    return UnknownWeightError(f"there is no weight '{address}'", hint=hint, file=label)


def _inside(address: str, refs: Sequence[WeightRef]) -> list[str]:
    """The paths of the weights in the layer at an address."""
    start = f"{address}/"
    layers = [ref for ref in refs if ref.kind is not Kind.OPTIMIZER]
    named = [ref.path for ref in layers if ref.path.startswith(start)]
    return named or [ref.path for ref in layers if ref.structure.startswith(start)]

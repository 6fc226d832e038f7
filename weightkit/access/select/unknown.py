"""What to say of an address that leads to no weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.select.pattern_escape import escape_pattern
from weightkit.access.select.suggestions import nearest
from weightkit.errors import SelectionError, UnknownWeightError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef


def unknown_weight(address: str, refs: Iterable[WeightRef], label: str) -> UnknownWeightError:
    """The error, with the nearest addresses."""
    try:
        near = nearest(escape_pattern(address), refs)
    except SelectionError:
        near = []
    hint = f"did you mean {' or '.join(near)}?" if near else "`weightkit show` lists what is there"
    return UnknownWeightError(f"there is no weight {address!r}", hint=hint, file=label)

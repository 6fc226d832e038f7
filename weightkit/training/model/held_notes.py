"""Notes on weights some of whose entries are held while the rest is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def held_notes(layers: Iterable[Any]) -> tuple[str, ...]:
    """How many entries of which weights are held, a note each.

    A layer lists them as ``held_entries``, as weightkit's wrappers do.
    """
    return tuple(
        f"{layer.name}/{name}: {held:,} of {total:,} entries are held and not trained"
        for layer in layers
        for name, (held, total) in getattr(layer, "held_entries", {}).items()
    )

"""A weight under another address, as the user asks for it; its path in the store stays what it is known by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.ref import WeightRef


class Steps(NamedTuple):
    """One address of a weight."""

    layers: tuple[str, ...]
    """The names of the layers around it; of a structural address, the format's keys."""
    own: tuple[str, ...]
    """Its own name, or its place in its layer: ``vars``, ``0``."""
    is_stored: bool = False
    """Whether it is the structural one."""

    @property
    def all(self) -> tuple[str, ...]:
        """The whole address."""
        return self.layers + self.own


def steps(ref: WeightRef) -> Iterator[Steps]:
    """The addresses of a weight: by name, where its layer has one, and by structure."""
    keys = tuple(ref.structure.split("/"))
    inside = len(keys) - 1 if "vars" not in keys else len(keys) - 1 - keys[::-1].index("vars")
    if ref.layer is not None:
        layers = tuple(ref.layer.split("/")) if ref.layer else ()
        yield Steps(layers, keys[inside:] if ref.name is None else (ref.name,))
    yield Steps(keys[:inside], keys[inside:], is_stored=True)


def moved(ref: WeightRef, layers: Sequence[str], name: str | None) -> WeightRef:
    """The same weight in another layer, under another name.

    Args:
        ref: The weight.
        layers: The names of the layers around it now.
        name: Its own name now; None where it has none.
    """
    before = ref.layer.split("/") if ref.layer else []
    same = zip(reversed(before), reversed(layers), strict=False)
    kept = next((count for count, (old, new) in enumerate(same) if old != new), min(len(before), len(layers)))
    # Classes stay with the innermost layers, whose names do.
    classes = (*ref.around, *[None] * (len(before) - len(ref.around)))
    around = (*[None] * (len(layers) - kept), *classes[len(classes) - kept :]) if ref.around and before else ()
    return replace(ref, layer="/".join(layers), name=name, near=(), around=around)

"""The weights of one layer as those of a model of its own: ``source_at``, ``target_at``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.matching.told.moved import moved, steps
from weightkit.access.names.layer_order import steps_shared
from weightkit.access.select.captures import CapturingGlob
from weightkit.access.select.suggestions import nearest
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.ref import WeightRef


def at_layer(refs: Sequence[WeightRef], layer: str, option: str) -> dict[WeightRef, WeightRef]:
    """The weights under a layer with their addresses below it, each with the weight of the store that it is.

    Args:
        refs: All weights of a store.
        layer: Its address by name or by structure, as a glob; or its last names alone.
        option: What messages call ``layer``.

    Raises:
        RequestError: There is no such layer, or several.
        SelectionError: The glob is malformed.
    """
    for pattern in (layer, f"**/{layer}"):
        glob = CapturingGlob(pattern)
        for by_name in (True, False):
            found = _under(glob, refs, by_name=by_name)
            if len(found) > 1:
                places = listed("/".join(names) for names in found)
                raise RequestError(
                    f"{option} must be one layer, got {layer!r}, which matches {len(found)}: {places}",
                    hint="give the whole address of one of them",
                )
            if found:
                ((names, below),) = found.items()
                return alone(below, len(names), by_name=by_name)
    raise no_such_layer(f"{option} must be a layer with weights, got {layer!r}, and there is none", layer, refs)


def no_such_layer(problem: str, pattern: str, refs: Sequence[WeightRef]) -> RequestError:
    """The error for an address that no layer has, with those that are most like it."""
    near = listed(map(repr, nearest(pattern, refs)))
    return RequestError(problem, hint=f"did you mean {near}?" if near else "see what `weightkit show` lists")


def _under(glob: CapturingGlob, refs: Sequence[WeightRef], *, by_name: bool) -> dict[tuple[str, ...], list[WeightRef]]:
    """The weights under each layer that matches."""
    found: dict[tuple[str, ...], list[WeightRef]] = {}
    for ref in refs:
        if ref.layer is not None or not by_name:
            layers = next(steps(ref)).layers if by_name else list(steps(ref))[-1].layers
            matched = glob.match(layers)
            if matched is not None:
                found.setdefault(layers[: matched.length], []).append(ref)
    return found


def alone(refs: Sequence[WeightRef], depth: int, *, by_name: bool) -> dict[WeightRef, WeightRef]:
    """Weights without what is around their layer, which is this deep, each with the one that was given."""
    keys = [list(steps(ref))[-1] for ref in refs]
    around = steps_shared([(*one.layers, "") for one in keys]) if by_name else depth
    return {
        replace(
            moved(ref, next(steps(ref)).layers[depth:], ref.name)
            if by_name
            else replace(ref, layer=None, near=(), around=()),
            structure="/".join(one.all[around:]),
            also=(),
        ): ref
        for ref, one in zip(refs, keys, strict=True)
    }

"""Find renamed layers: missing on one side, extra on the other, with the same weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access import Kind, spans
from weightkit.compare.equality import is_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access import Match, WeightRef, WeightStore

_LOOK = 256
"""Elements that distinguish most weights of one shape: many layers may be compared with many others."""
_MOST_COMPARED = 8
"""Layers that start with the same elements, and are compared whole with one."""

_Layers: TypeAlias = "dict[str, list[WeightRef]]"


def with_renames(found: Match, ours: WeightStore, theirs: WeightStore) -> Match:
    """The match, with renamed layers paired too.

    These have the same class, names of weights and shapes, and either the same values, or the same place: between
    the same neighbors, where both stores know the order of their layers. Neither name is there in the other store.
    """
    missing, unused = _unmatched(found.missing, ours, theirs), _unmatched(found.unused, theirs, ours)
    if not missing or not unused:
        return found
    pairs = _by_values(missing, unused, ours, theirs)
    if ours.ordered and theirs.ordered:
        # Layers that were just found by their values count as neighbors.
        pairs |= _by_place(missing, unused, found.pairs | pairs, (list(ours), list(theirs)))
    return _joined(found, pairs) if pairs else found


def _unmatched(refs: Iterable[WeightRef], own: WeightStore, other: WeightStore) -> _Layers:
    """Layers without any matched weight, whose name is not in the other store."""
    left, whole, there = _layers(refs), _layers(own), _layers(other)
    return {layer: found for layer, found in left.items() if layer not in there and len(found) == len(whole[layer])}


def _layers(refs: Iterable[WeightRef]) -> _Layers:
    found: _Layers = {}
    for ref in refs:
        if ref.layer is not None and ref.name is not None and ref.kind is not Kind.OPTIMIZER:
            found.setdefault(ref.layer, []).append(ref)
    return found


def _like(ours: list[WeightRef], theirs: list[WeightRef]) -> bool:
    return _described(ours) == _described(theirs)


def _described(refs: list[WeightRef]) -> tuple[object, ...]:
    return tuple((ref.name, ref.shape, ref.dtype, ref.layer_class) for ref in refs)


def _by_values(missing: _Layers, unused: _Layers, ours: WeightStore, theirs: WeightStore) -> dict[WeightRef, WeightRef]:
    """Pairs with the same values; only layers that start with the same ones are compared whole."""
    known = {_described(refs) for refs in missing.values()}
    alike: dict[tuple[object, ...], dict[str, None]] = {}
    for layer, refs in unused.items():
        if (form := _described(refs)) in known:
            alike.setdefault((form, _starts(theirs, refs)), {})[layer] = None
    described = {first for first, _ in alike}
    pairs: dict[WeightRef, WeightRef] = {}
    for layer, refs in list(missing.items()):
        form = _described(refs)
        candidates = alike.get((form, _starts(ours, refs)), {}) if form in described else {}
        for other in islice(candidates, _MOST_COMPARED):
            both = list(zip(refs, unused[other], strict=True))
            if all(_is_same(ours, theirs, a, b) for a, b in both):
                pairs |= dict(both)
                # The loop ends here, since a dictionary must not change under it.
                del missing[layer], unused[other], candidates[other]
                break
    return pairs


def _starts(store: WeightStore, refs: list[WeightRef]) -> bytes:
    digest = hashlib.blake2b()
    for ref in refs:
        digest.update(store.read(ref, slice(0, min(_LOOK, ref.size))).tobytes())
    return digest.digest()


def _is_same(ours: WeightStore, theirs: WeightStore, a: WeightRef, b: WeightRef) -> bool:
    return all(is_same(ours.read(a, span), theirs.read(b, span)) for span in spans(a.size, _LOOK))


def _by_place(
    missing: _Layers, unused: _Layers, pairs: dict[WeightRef, WeightRef], orders: tuple[list[WeightRef], ...]
) -> dict[WeightRef, WeightRef]:
    """Layers between the same two neighbors, if both sides have equally many."""
    first, second = _gaps(missing, orders[0], pairs), _gaps(unused, orders[1], {b: a for a, b in pairs.items()})
    # The empty address is the neighbor before the first layer and after the last.
    anchors = {ours.structure: theirs.structure for ours, theirs in pairs.items()} | {"": ""}
    found: dict[WeightRef, WeightRef] = {}
    for (before, after), layers in first.items():
        others = second.get((anchors[before], anchors[after]), [])
        if len(layers) == len(others):
            for refs, candidates in zip(layers, others, strict=True):
                if _like(refs, candidates):
                    found |= dict(zip(refs, candidates, strict=True))
    return found


def _gaps(
    layers: _Layers, order: list[WeightRef], paired: dict[WeightRef, WeightRef]
) -> dict[tuple[str, str], list[list[WeightRef]]]:
    """Unpaired layers by the paired weights around them."""
    found: dict[tuple[str, str], list[list[WeightRef]]] = {}
    before, waiting = "", dict[str, None]()
    kept = [ref for ref in order if ref.kind is not Kind.OPTIMIZER]
    for ref in [*kept, None]:
        if ref is None or ref in paired:
            after = "" if ref is None else ref.structure
            if waiting:
                found[before, after] = [layers[layer] for layer in waiting]
            before, waiting = after, {}
        elif ref.layer in layers:
            waiting[ref.layer] = None
    return found


def _joined(found: Match, pairs: dict[WeightRef, WeightRef]) -> Match:
    used = set(pairs.values())
    return replace(
        found,
        pairs=found.pairs | pairs,
        missing=tuple(ref for ref in found.missing if ref not in pairs),
        unused=tuple(ref for ref in found.unused if ref not in used),
    )

"""What a renaming settles: the layers that it names are those of the target, whatever else they look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.sides import Sides
from weightkit.access.matching.told.at_layer import alone, at_layer, no_such_layer
from weightkit.access.matching.told.moved import moved, steps
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from weightkit.access.matching.align import Ordered
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.told.renamed import New
    from weightkit.access.matching.told.renaming import Renaming
    from weightkit.access.ref import WeightRef

_Names: TypeAlias = "tuple[str, ...]"
_Known: TypeAlias = "dict[WeightRef, WeightRef]"
"""Weights under the addresses that they are matched by, each with the one that was given."""


@dataclass(slots=True)
class Settled:
    """Which weights of the target are which of the source."""

    pairs: Pairs = field(default_factory=dict)
    unlike: list[tuple[tuple[WeightRef, ...], tuple[WeightRef, ...]]] = field(default_factory=list)
    """Layers that are one while their weights have other names."""
    ours: set[WeightRef] = field(default_factory=set)
    """Weights of the target that are not to be matched any more."""
    theirs: set[WeightRef] = field(default_factory=set)
    """The same of the source."""


def settled(
    ours: Sequence[WeightRef], theirs: Sequence[WeightRef], new: Mapping[WeightRef, New], ordered: Ordered
) -> Settled:
    """The pairs of weights whose new address names a layer of the target.

    Args:
        ours: The weights of the target.
        theirs: The weights of the source.
        new: Those of the source that are renamed.
        ordered: Whether the two know the order of their layers.

    Raises:
        RequestError: An entry leads to no layer of the target.
    """
    found = Settled()
    by_entry: dict[Renaming, dict[_Names, list[WeightRef]]] = {}
    for ref, one in new.items():
        if not one.entry.moves:
            by_entry.setdefault(one.entry, {}).setdefault(one.base, []).append(ref)
    partly = {ref.owner for ref in theirs if ref not in new}
    for entry, layers in by_entry.items():
        for layer, here in _places(ours, entry, layers):
            there = {_below(new[ref].ref, len(layer)): ref for ref in layers[layer]}
            whole = not any(ref.owner in partly for ref in there.values())
            _settle(found, here, there, Sides(list(here), list(there), ordered), entry, whole=whole)
    return found


def _settle(found: Settled, here: _Known, there: _Known, sides: Sides, entry: Renaming, *, whole: bool) -> None:
    pairs = sides.of_parts()
    unlike = sides.unlike(pairs) if whole else ()
    if not pairs and not unlike:
        raise RequestError(f"rename: {entry} leads to a layer whose weights have other names: {_names(here)} there")
    found.pairs |= {here[a]: there[b] for a, b in pairs.items()}
    found.unlike += [(tuple(here[ref] for ref in a), tuple(there[ref] for ref in b)) for a, b in unlike]
    found.ours.update(here.values() if whole else (here[ref] for ref in pairs))
    found.theirs.update(there.values())


def _places(ours: Sequence[WeightRef], entry: Renaming, layers: Iterable[_Names]) -> Iterator[tuple[_Names, _Known]]:
    """The layers of the target that an entry leads to, each with its weights as those of a model of their own."""
    wanted = set(layers)
    known = _grouped(ours, wanted, by_name=False) | _grouped(ours, wanted, by_name=True)
    yield from known.items()
    if known:
        return
    option = f"rename: what {entry.pattern!r} becomes"
    if len(wanted) > 1 or not entry.is_literal:
        problem = f"{option} must be layers with weights, got {entry.becomes!r}, and there are none"
        raise no_such_layer(problem, entry.becomes, ours)
    yield wanted.pop(), at_layer(ours, entry.becomes, option)


def _grouped(refs: Sequence[WeightRef], layers: set[_Names], *, by_name: bool) -> dict[_Names, _Known]:
    """The weights under each of some layers."""
    lengths = {len(layer) for layer in layers}
    found: dict[_Names, list[WeightRef]] = {}
    for ref in refs:
        if by_name and ref.layer is None:
            continue
        around = list(steps(ref))[0 if by_name else -1].layers
        for length in lengths:
            if length <= len(around) and around[:length] in layers:
                found.setdefault(around[:length], []).append(ref)
    return {layer: alone(below, len(layer), by_name=by_name) for layer, below in found.items()}


def _below(ref: WeightRef, depth: int) -> WeightRef:
    return moved(ref, next(steps(ref)).layers[depth:], ref.name)


def _names(refs: Iterable[WeightRef]) -> str:
    return ", ".join(ref.path for ref in refs)

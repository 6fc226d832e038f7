"""What a renaming settles: the layers that it names are those of the target, whatever else they look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.sides import Sides
from weightkit.access.matching.told.at_layer import alone, at_layer, no_such_layer
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from weightkit.access.matching.align import Ordered
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.told.addresses import Addresses
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


def settled(ours: Addresses, theirs: Sequence[WeightRef], new: Mapping[WeightRef, New], ordered: Ordered) -> Settled:
    """The pairs of weights whose new address names a layer of the target.

    Args:
        ours: The weights of the target.
        theirs: The weights of the source.
        new: Those of the source that are renamed.
        ordered: Whether the two know the order of their layers.

    Raises:
        RequestError: An entry leads to no layer of the target, or to where another one leads.
    """
    found = Settled()
    by_entry: dict[Renaming, dict[_Names, list[WeightRef]]] = {}
    for ref, one in new.items():
        if not one.entry.moves:
            by_entry.setdefault(one.entry, {}).setdefault(one.base, []).append(ref)
    partly = {ref.owner for ref in theirs if ref not in new}
    layers_there = _Layers(ours, {len(layer) for layers in by_entry.values() for layer in layers})
    for entry, layers in by_entry.items():
        for layer, here in layers_there.led_to(entry, layers):
            there = _below(layers[layer], new, len(layer))
            whole = not any(ref.owner in partly for ref in there.values())
            keeps_names = whole and all(new[ref].keeps_name for ref in there.values())
            sides = Sides(list(here), list(there), ordered)
            made = sides.of_layers() if keeps_names else sides.of_parts()
            pairs = {here[a]: there[b] for a, b in made.items()}
            unlike = sides.unlike(made) if keeps_names else ()
            if not pairs and not unlike:
                raise _other_names(entry, here)
            _require_free(pairs, found.pairs)
            found.pairs |= pairs
            found.unlike += [(tuple(here[ref] for ref in a), tuple(there[ref] for ref in b)) for a, b in unlike]
            found.ours.update(here.values() if whole else pairs)
            found.theirs.update(there.values())
    return found


def _other_names(entry: Renaming, here: Iterable[WeightRef]) -> RequestError:
    names = listed(ref.path for ref in here)
    return RequestError(
        f"rename: {entry} leads to a layer whose weights have other names: {names} there",
        hint="rename the layers or weights in it one by one",
    )


def _require_free(pairs: Pairs, before: Pairs) -> None:
    """Refuse two weights of the source for one of the target."""
    for ref in filter(before.__contains__, pairs):
        raise RequestError(
            f"rename: two weights of the source lead to {ref.path}: {before[ref].path} and {pairs[ref].path}",
            hint="rename one of them to another layer of the target",
        )


class _Layers:
    """The layers of the target.

    Args:
        known: Its weights.
        lengths: How many names the addresses of layers have that are looked for.
    """

    def __init__(self, known: Addresses, lengths: Collection[int]) -> None:
        self._known = known
        self._by_name: dict[_Names, list[WeightRef]] = {}
        self._by_structure: dict[_Names, list[WeightRef]] = {}
        for ref in known.of:
            if ref.layer is not None:
                _add(self._by_name, known.shown(ref).layers, ref, lengths)
            _add(self._by_structure, known.stored(ref).layers, ref, lengths)

    def led_to(self, entry: Renaming, layers: Iterable[_Names]) -> Iterator[tuple[_Names, _Known]]:
        """The layers that an entry leads to, each with its weights as those of a model of their own.

        Raises:
            RequestError: There is none, and the entry names one.
        """
        known = {layer: below for layer in layers if (below := self._at(layer))}
        yield from known.items()
        if known or entry.opens:
            return
        wanted, option = set(layers), f"rename: what {entry.pattern!r} becomes"
        if len(wanted) > 1 or not entry.is_literal:
            problem = f"{option} must be layers with weights, got {entry.becomes!r}, and there are none"
            raise no_such_layer(problem, entry.becomes, self._known)
        yield wanted.pop(), at_layer(self._known, entry.becomes, option).weights

    def _at(self, layer: _Names) -> _Known:
        by_name = layer in self._by_name
        refs = (self._by_name if by_name else self._by_structure).get(layer)
        return alone(refs, len(layer), by_name=by_name) if refs else {}


def _add(found: dict[_Names, list[WeightRef]], layers: _Names, ref: WeightRef, lengths: Collection[int]) -> None:
    for length in lengths:
        if length <= len(layers):
            found.setdefault(layers[:length], []).append(ref)


def _below(refs: Sequence[WeightRef], new: Mapping[WeightRef, New], depth: int) -> _Known:
    """Weights of the source without what is around the layer that they are in now."""
    home = {new[ref].ref: ref for ref in refs}
    return {ref: home[moved] for ref, moved in alone(list(home), depth, by_name=True).items()}

"""The weights of two stores, and the ways to match them."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from weightkit.access.matching.align import aligned, layers
from weightkit.access.matching.elsewhere import elsewhere
from weightkit.access.matching.given_names import crosses
from weightkit.access.matching.guesses import without_guesses
from weightkit.access.matching.layer_tree import by_name
from weightkit.access.matching.order import by_look, by_order, why_not_by_look, why_not_by_order
from weightkit.access.matching.pairing import by_class, by_structure
from weightkit.access.matching.result import Match
from weightkit.access.matching.root import Root
from weightkit.access.matching.scopes import parts_like, parts_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.matching.align import Ordered
    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.result import Unlike
    from weightkit.access.ref import WeightRef


class Evidence(NamedTuple):
    """What still says which weight is which, beside what the user says."""

    paths: bool = True
    """The paths of the format."""
    order: bool = True
    """The order of the layers, and that among those of their class."""


_ALL = Evidence()


class Sides:
    """The weights of two stores, and the ways to match them.

    Args:
        ours: The weights of the first.
        theirs: Those of the second.
        ordered: Whether the two know the order of their layers.
        roots: What each of them is as a layer of a model.
        evidence: What says which weight is which.
    """

    def __init__(
        self,
        ours: list[WeightRef],
        theirs: list[WeightRef],
        ordered: Ordered,
        roots: tuple[Root, Root] = (Root(),) * 2,
        evidence: Evidence = _ALL,
    ) -> None:
        self.ours, self.theirs, self.ordered, self.roots, self.evidence = ours, theirs, ordered, roots, evidence

    def only(self, part: Callable[[WeightRef], bool]) -> Sides:
        """The same with a part of the weights."""
        ours, theirs = ([ref for ref in refs if part(ref)] for refs in (self.ours, self.theirs))
        return Sides(ours, theirs, self.ordered, self.roots, self.evidence)

    @functools.cached_property
    def _trees(self) -> tuple[Layer, Layer]:
        """Both as trees of layers, which several ways look at."""
        return by_name(self.ours), by_name(self.theirs)

    def matched(self, by: str) -> Match:
        """Their match by one way."""
        ways = {
            "name": self.by_name, "structure": self._by_structure, "order": self._by_order, "shape": self._by_look,
        }  # fmt: skip
        return Match.of(by, self.ours, self.theirs, ways[by]())

    @property
    def named(self) -> bool:
        """Whether all layers have names; else the file's own keys stand for them."""
        return all(ref.layer is not None for refs in (self.ours, self.theirs) for ref in refs)

    def by_name(self) -> Pairs:
        """Pairs by name, with automatic names by order."""
        return self._paired(*self._trees, nested=False)

    def without_guesses(self, found: Match) -> Match:
        """A match by names or paths without what automatic names only guess."""
        pairs = without_guesses(found.pairs, *self._trees, by_place=found.by == "structure")
        return found if len(pairs) == len(found.pairs) else Match.of(found.by, self.ours, self.theirs, pairs)

    def of_parts(self) -> Pairs:
        """The same where the two are layers, not whole models."""
        return self._paired(*self._trees)

    def of_layers(self) -> Pairs:
        """The same where the two are one layer, whatever the layers in it are called."""
        pairs = self.of_parts()
        if Match.of("", self.ours, self.theirs, pairs).complete:
            return pairs
        others = (self.matched(by) for by in ("structure", "order"))
        fitting = (found.pairs for found in others if found.fits)
        return next((made for made in fitting if not crosses(made.items(), self.ours, self.theirs)), pairs)

    def unlike(self, pairs: Pairs) -> Unlike:
        """The weights of layers that match by name, of which some have no match."""
        met = layers(*self._trees, self.ordered)
        both = ((tuple(a.weights.values()), tuple(b.weights.values())) for a, b in met)
        return tuple((a, b) for a, b in both if a and b and not all(ref in pairs for ref in a))

    def parts(self) -> list[tuple[str, Pairs]]:
        """The parts of the larger model that the smaller one is, with their pairs from ours to theirs."""
        first, second = self._trees
        if len(self.ours) > len(self.theirs):
            return parts_like(first, second, self._paired)
        found = parts_like(second, first, lambda part, whole: self._paired(whole, part))
        return found if len(self.ours) < len(self.theirs) else []

    def why_not(self) -> tuple[str, str]:
        """Why neither the order of the layers nor their shapes decide."""
        told = "" if self.evidence.order else "what rename= says goes against it"
        return told or why_not_by_order(*self._trees, self.ordered), why_not_by_look(*self._trees)

    def namesakes(self) -> list[Match]:
        """The matches of one of the two with a layer of the other that has its name, or its address too."""
        first, second = self._trees
        found = []
        for path, layer in _named(second, self.roots[0]):
            pairs = self._paired(first, layer)
            found.append(replace(Match.of("name", self.ours, self.theirs, pairs), part=path))
        for path, layer in _named(first, self.roots[1]):
            whole = Match.of("name", self.ours, self.theirs, self._paired(layer, second))
            found.append(whole.of_part(path, set(whole.missing).difference(layer.refs())))
        return [match for match in found if match.pairs]

    def _paired(self, ours: Layer, theirs: Layer, *, nested: bool = True) -> Pairs:
        pairs = dict(aligned(ours, theirs, self.ordered, nested=nested))
        return pairs | dict(elsewhere(ours, theirs, pairs))

    def _by_structure(self) -> Pairs:
        placed, counted = (
            way(self.ours, self.theirs) if says else {}
            for way, says in ((by_structure, self.evidence.paths), (by_class, all(self.evidence)))
        )
        return counted if self._fits(counted) and not self._fits(placed) else placed

    def _by_order(self) -> Pairs:
        return by_order(*self._trees, self.ordered) if self.evidence.order else {}

    def _by_look(self) -> Pairs:
        return by_look(*self._trees)

    def _fits(self, pairs: Pairs) -> bool:
        return Match.of("", self.ours, self.theirs, pairs).fits


def _named(whole: Layer, root: Root) -> list[tuple[str, Layer]]:
    """The layer of a model at the address of another one, or else those of its name, each with its path."""
    named = [] if root.given is None else parts_named(whole, root.given)
    return [part for part in named if part[0] == root.address] or named

"""Match the weights of two stores: by name, by structure, by order, by looks; the first that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.matching.align import Ordered
from weightkit.access.matching.given_names import crosses
from weightkit.access.matching.layer_tree import is_given
from weightkit.access.matching.pairing import Pairs, by_structure, by_turn
from weightkit.access.matching.result import BY, By, Match
from weightkit.access.matching.sides import Sides
from weightkit.access.names.automatic_names import automatic
from weightkit.access.ref import Kind
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weightkit.access.ref import WeightRef


def match(
    ours: Iterable[WeightRef],
    theirs: Iterable[WeightRef],
    by: By = "auto",
    *,
    ordered: bool | None = None,
    strict: bool = False,
) -> Match:
    """Match each weight of a store with one of another store.

    User-given names match by name. Automatic names (``dense_7``) do not count as names: the first Dense layer matches
    the first, as when one architecture is built twice, in the order of the stores where they know it. A layer that
    holds only one other, such as a recurrent layer's cell, is seen through where the other side does not have it.
    Where names do not decide, the format's paths do, then a layer's position among those of its class, then the order
    of all layers, then shapes, if no two layers look the same. An optimizer's state matches by its names, else by its
    order.

    Args:
        ours: A store, or the references of one.
        theirs: The same of another.
        by: ``auto`` tries ``name``, ``structure``, ``order`` and ``shape``, and refuses what none decides; each of
            these uses only that, and reports what is missing.
        ordered: Whether ours come in the order of their layers; by default, the store decides. References without
            their store count as unordered.
        strict: Whether ``auto`` goes by names and structure of whole models alone.

    Raises:
        RequestError: Nothing decides, or ``by`` is not one of these.
    """
    if by not in BY:
        raise RequestError(f"match must be a known rule, got {by!r}", hint=f"give one of {', '.join(BY)}")
    order = Ordered(_is_ordered(ours) if ordered is None else ordered, _is_ordered(theirs))
    own, other = list(ours), list(theirs)
    # Apart: counters and optimizers are not in every format, and must not spoil the match of the weights.
    parts = (_is_weight, Match.is_counter, _trains)
    weights, counters, training = (Sides(_only(part, own), _only(part, other), order) for part in parts)
    found = _decided(weights, strict=strict) if by == "auto" else weights.matched(by)
    # Counters go by the rule that matched the weights.
    counted = counters.by_name() if found.by == "name" else by_structure(counters.ours, counters.theirs)
    pairs = found.pairs | counted | _of_optimizers(training.ours, training.theirs)
    whole = Match.of(found.by, own, other, pairs)
    whole = whole.of_part(found.part) if found.part or found.fresh else whole
    return replace(whole, unlike=weights.unlike(found.pairs)) if found.missing and found.unused else whole


def _only(part: Callable[[WeightRef], bool], refs: list[WeightRef]) -> list[WeightRef]:
    return [ref for ref in refs if part(ref)]


def _trains(ref: WeightRef) -> bool:
    """Whether it belongs to training, not to the model; Keras 2 saved the state of metrics too."""
    return ref.kind is Kind.OPTIMIZER or ref.structure.startswith("metrics/")


def _is_weight(ref: WeightRef) -> bool:
    return not _trains(ref) and not Match.is_counter(ref)


def _is_ordered(refs: Iterable[WeightRef]) -> bool:
    return bool(getattr(refs, "ordered", False))


def _decided(sides: Sides, *, strict: bool) -> Match:
    """The first way that decides.

    Raises:
        RequestError: None does.
    """
    named = sides.matched("name")
    if named.fits and sides.named:
        return named
    placed = sides.matched("structure")
    found = _told(sides, named, placed)
    if found is None and not strict:
        found = _untold(sides) or _of_part(sides, named)
    found = found or _with_gaps(sides, named, placed)
    if found is None:
        raise _refused(named, placed)
    return found


def _told(sides: Sides, named: Match, placed: Match) -> Match | None:
    """A match by names or places without a gap."""
    # All names match; but if only the paths fit in shape, the names mislead.
    if named.complete and not placed.fits:
        return named
    if placed.fits and not _contradicts(placed, sides.ours, sides.theirs):
        return placed
    return named if named.fits else None


def _untold(sides: Sides) -> Match | None:
    """A match of all weights by what they look like."""
    return next((found for by in ("order", "shape") if (found := sides.matched(by)).pairs), None)


def _of_part(sides: Sides, named: Match) -> Match | None:
    """A match of all weights of one side with a part of the other.

    Raises:
        RequestError: There are several such parts.
    """
    found = sides.parts()
    places = [part for part, _ in found]
    if named.pairs and not named.reshaped and sides.named and (whole := _whole(named)):
        places = _beside(named, found)
        if not places or any(is_given(ref) for pair in named.pairs.items() for ref in pair):
            return whole
        places.append("those around")
    if len(places) > 1:
        raise RequestError(
            f"all weights of one model fit into several layers of the other: {listed(places)}",
            hint="open one of these layers alone",
        )
    part, pairs = found[0] if found else ("", {})
    matched = Match.of("name", sides.ours, sides.theirs, pairs)
    one_layer = len({ref.layer for ref in pairs}) == 1
    if not found or (one_layer and len(pairs) < len(matched.missing)):
        return None
    return matched.of_part(part)


def _beside(named: Match, parts: list[tuple[str, Pairs]]) -> list[str]:
    """The parts with layers in them that are not what automatic names lead to."""
    met = named.pairs.items()
    return [
        part
        for part, pairs in parts
        if met.isdisjoint(pairs.items()) and not any(part in {a.layer, b.layer} for a, b in pairs.items())
    ]


def _whole(named: Match) -> Match | None:
    """A match of all of ours; or of all of theirs, with whole layers besides: a head on the layers of a backbone."""
    if not named.missing:
        return named
    met, besides = {ref.layer or "" for ref in named.pairs}, {ref.layer or "" for ref in named.missing}
    # A few layers of that name in a large model may be those of any other.
    if named.unused or not met.isdisjoint(besides) or len(named.pairs) < len(named.missing):
        return None
    # Nor do automatic names tell which of several layers of a class is the new one.
    return None if _automatic_places(met) & _automatic_places(besides) else named.of_part("")


def _automatic_places(layers: Iterable[str]) -> set[tuple[str, str]]:
    """Where layers with automatic names are, and the class that the name says."""
    split = (layer.rpartition("/") for layer in layers)
    return {(around, found[0]) for around, _, name in split if (found := automatic(name))}


def _with_gaps(sides: Sides, named: Match, placed: Match) -> Match | None:
    """A match of a part of the weights."""
    # By name only if every weight has a name of its own.
    if named.pairs and _are_named(sides.ours) and _are_named(sides.theirs):
        return named
    # By place only if it is at least half of them: a few equal paths say little.
    half = 2 * len(placed.pairs) >= max(len(sides.ours), len(sides.theirs))
    fits = placed.pairs and not placed.reshaped and half
    return placed if fits and not _contradicts(placed, sides.ours, sides.theirs) else None


def _contradicts(placed: Match, ours: list[WeightRef], theirs: list[WeightRef]) -> bool:
    """Whether a weight's path leads to another weight there, while its own name is there too."""
    here, there = {ref.path for ref in ours if is_given(ref)}, {ref.path for ref in theirs if is_given(ref)}
    both = here & there
    if crosses(placed.pairs.items(), ours, theirs):
        return True
    return any(a.path != b.path and (a.path in both or b.path in both) for a, b in placed.pairs.items())


def _are_named(refs: list[WeightRef]) -> bool:
    return all(ref.layer is not None and ref.name is not None and ref.duplicate == 1 for ref in refs)


def _of_optimizers(ours: list[WeightRef], theirs: list[WeightRef]) -> Pairs:
    placed = by_structure(ours, theirs)
    if len(placed) == len(ours) == len(theirs):
        return placed
    return by_turn(ours, theirs) or placed


def _refused(named: Match, placed: Match) -> RequestError:
    """What was tried, and the first weights without a match side by side."""
    total = len(named.pairs) + len(named.missing)
    tried = ", ".join(f"{len(found.pairs) or 'none'} by {found.by}" for found in (named, placed))
    here, there = (listed([f"{ref.path} {ref.shape_text}" for ref in refs]) for refs in (named.missing, named.unused))
    # A way that matches nothing would report all weights as missing.
    ways = " or ".join(f"--match {found.by}" for found in (named, placed) if found.pairs)
    return RequestError(
        f"the weights cannot be matched: of {total} are {tried}; by name {here} is only in the first, "
        f"{there} only in the second",
        hint=f"choose {ways} (match=), which reports the rest as missing" if ways else "compare what `show` lists",
    )

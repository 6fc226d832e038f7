"""Match the weights of two stores: by name, by structure, by order, by looks; the first that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.matching.align import Ordered
from weightkit.access.matching.given_names import crosses
from weightkit.access.matching.layer_tree import is_given
from weightkit.access.matching.pairing import Pairs, by_structure, by_turn
from weightkit.access.matching.part import of_part
from weightkit.access.matching.quantized import Unquantized
from weightkit.access.matching.result import BY, By, Match
from weightkit.access.matching.root import Root
from weightkit.access.matching.sides import Evidence, Sides
from weightkit.access.matching.told.told import Sight, Told
from weightkit.access.matching.unmatched import unmatched
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_NOTHING = Told()


def match(
    ours: Iterable[WeightRef],
    theirs: Iterable[WeightRef],
    by: By = "auto",
    *,
    ordered: bool | None = None,
    strict: bool = False,
    told: Told = _NOTHING,
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
        told: Where layers of theirs are in ours, as the user says; the rule matches the rest.

    Raises:
        RequestError: Nothing decides, ``by`` is not one of these, or what is told leads nowhere.
    """
    if by not in BY:
        raise RequestError(f"match must be a known rule, got {by!r}", hint=f"give one of {', '.join(BY)}")
    order = Ordered(is_ordered(ours) if ordered is None else ordered, is_ordered(theirs))
    real = Unquantized(list(ours), list(theirs))
    seen = Sight(real.ours, real.theirs, told, order, (_root(ours), _root(theirs)))
    evidence = seen.evidence if by == "auto" else Evidence()  # a way that is asked for is taken at its word
    sides = Sides(list(seen.ours), list(seen.theirs), order, seen.roots, evidence)
    found = _match(sides, by, strict=strict, is_settled=bool(seen.pairs or seen.unlike))
    whole = Match.of(found.by, *real.all_of(*seen.all), real.pairs(seen.pairs | seen.at_home(found.pairs)))
    if found.part or found.fresh:
        fresh, _ = real.all_of([seen.ours[ref] for ref in found.fresh], ())
        whole = whole.of_part(found.part, set(fresh))
    return replace(whole, unlike=real.layers((*seen.unlike, *seen.layers_at_home(found.unlike))))


def _root(store: object) -> Root:
    return Root(*getattr(store, "root", ()))


def _match(sides: Sides, by: By, *, strict: bool, is_settled: bool) -> Match:
    # Apart: counters and optimizers are not in every format, and must not spoil the match of the weights.
    parts = (is_weight, Match.is_counter, Match.trains)
    weights, counters, training = (sides.only(part) for part in parts)
    found = _decided(weights, strict=strict, is_settled=is_settled) if by == "auto" else weights.matched(by)
    # Counters go by the rule that matched the weights.
    counted = counters.by_name() if found.by == "name" else by_structure(counters.ours, counters.theirs)
    optimizers = _of_optimizers(training.ours, training.theirs)
    unlike = weights.unlike(found.pairs) if found.missing and found.unused else ()
    return replace(found, pairs=found.pairs | counted | optimizers, unlike=unlike)


def is_weight(ref: WeightRef) -> bool:
    """Whether it is the model's own, and no counter."""
    return not Match.trains(ref) and not Match.is_counter(ref)


def is_ordered(refs: Iterable[WeightRef]) -> bool:
    """Whether these come in the order of their layers, as a store says of its own."""
    return bool(getattr(refs, "ordered", False))


def _decided(sides: Sides, *, strict: bool, is_settled: bool) -> Match:
    """The first way that decides.

    Args:
        sides: The two.
        strict: Whether it goes by names and structure of whole models alone.
        is_settled: Whether other layers are matched already, so that these may match in part, or not at all.

    Raises:
        RequestError: None does.
    """
    named = sides.matched("name")
    if named.fits and sides.named:
        return named
    placed = sides.matched("structure")
    found = _told(sides, named, placed)
    if found is None and not strict:
        found = _untold(sides) or of_part(sides, named, is_settled=is_settled)
        named, placed = map(sides.without_guesses, (named, placed))
    found = found or _with_gaps(sides, named, placed)
    if found is None and not is_settled:
        raise unmatched(sides, named, placed, strict=strict)
    return found or named


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

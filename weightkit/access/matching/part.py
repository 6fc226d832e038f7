"""Match one store with a part of the other: a backbone in a model with a new head, one layer of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.matching.layer_tree import is_given
from weightkit.access.matching.result import Match
from weightkit.access.names.automatic_names import automatic
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.sides import Sides

_SAY = "say which layer is which with rename= (--rename OLD=NEW)"


def of_part(sides: Sides, named: Match, *, is_settled: bool) -> Match | None:
    """A match of all weights of one side with a part of the other.

    Args:
        sides: The two.
        named: Their match by name.
        is_settled: Whether other layers are matched already.

    Raises:
        RequestError: There are several such parts.
    """
    namesakes = sides.namesakes()
    if len(namesakes) == 1:
        return namesakes[0]
    found = sides.parts()
    places = [part for part, _ in found]
    if named.pairs and not named.reshaped and sides.named and (whole := _whole(named)):
        places = _beside(named, found)
        if not places or any(is_given(ref) for pair in named.pairs.items() for ref in pair):
            return whole
        raise _several(places, sides, is_settled=is_settled, around=["those around"])
    found = _of_one_class(found) or found
    if len(found) > 1:
        raise _several([part for part, _ in found], sides, is_settled=is_settled)
    part, pairs = found[0] if found else ("", {})
    matched = Match.of("name", sides.ours, sides.theirs, pairs)
    one_layer = len({ref.layer for ref in pairs}) == 1
    if not found or (one_layer and len(pairs) < len(matched.missing)):
        return None
    return matched.of_part(part)


def _several(parts: list[str], sides: Sides, *, is_settled: bool, around: Sequence[str] = ()) -> RequestError:
    """The error where a model fits into several layers of the other one."""
    in_ours = len(sides.ours) > len(sides.theirs)
    side, root = ("target", sides.roots[0]) if in_ours else ("source", sides.roots[1])
    places = [f"{root.address}/{part}" if root.address else part for part in parts]
    option = f"choose a layer with {side}_at= (--{side}-at)" if not is_settled else _SAY
    others = " or those around with match='name' (--match name)" if around else ""
    return RequestError(
        f"all weights of one model fit into several layers of the other: {listed([*places, *around])}",
        hint=f"{option}{others}",
    )


def _of_one_class(parts: list[tuple[str, Pairs]]) -> list[tuple[str, Pairs]]:
    """The only part whose layers are of the same classes, as far as they are known."""
    same = [part for part in parts if all(a.layer_class == b.layer_class for a, b in part[1].items())]
    return same if len(same) == 1 else []


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

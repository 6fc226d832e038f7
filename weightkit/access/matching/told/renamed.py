"""The weights of a source under the addresses that a renaming gives them."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from weightkit.access.matching.layer_tree import address
from weightkit.access.matching.told.at_layer import no_such_address
from weightkit.access.matching.told.moved import moved
from weightkit.access.ref import Kind
from weightkit.access.select.pattern_escape import escape_pattern
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from weightkit.access.matching.told.addresses import Addresses
    from weightkit.access.matching.told.moved import Steps
    from weightkit.access.matching.told.renaming import Renamed, Renaming
    from weightkit.access.ref import WeightRef


class New(NamedTuple):
    """A weight that was renamed."""

    ref: WeightRef
    """The weight under its new address."""
    base: tuple[str, ...]
    """The layer that the entry names."""
    entry: Renaming
    keeps_name: bool
    """Whether its own name is the same, and only its layer has another one."""
    is_placed: bool
    """Whether the entry is about its path, and not its names alone."""


def renamed(known: Addresses, entries: Iterable[Renaming]) -> dict[WeightRef, New]:
    """The new addresses of those weights that a renaming matches, by the weights of the source.

    Args:
        known: The weights of the source.
        entries: The renaming; the first that matches a weight counts. A plain name that no layer at the top has is
            looked for in layers.

    Raises:
        RequestError: An entry matches nothing, or two weights would have one address.
    """
    found: dict[WeightRef, New] = {}
    for entry in entries:
        new = _matched(entry, known, found)
        if not new:
            problem = f"rename: {entry.pattern!r} matches no weight of the source that is not renamed already"
            raise no_such_address(problem, entry.pattern, known)
        found |= new
    _require_apart([found[ref].ref if ref in found else ref for ref in known.of], list(known.of))
    return found


def _matched(entry: Renaming, known: Addresses, but: Container[WeightRef]) -> dict[WeightRef, New]:
    look = functools.partial(_new, entry, known, but)
    if found := look(entry, by_name=True):
        return found
    stored, anywhere = look(entry, by_name=False), entry.anywhere
    named = {} if anywhere is None else look(anywhere, by_name=True)
    if stored and named and stored.keys() != named.keys():
        places = listed(dict.fromkeys("/".join(known.shown(ref).layers) for ref in (*stored, *named)))
        raise RequestError(
            f"rename: {entry.pattern!r} is the name of one layer and the path of another in the source: {places}",
            hint="give the whole address of one of them",
        )
    return named or stored or ({} if anywhere is None else look(anywhere, by_name=False))


def _new(
    entry: Renaming, known: Addresses, but: Container[WeightRef], way: Renaming, *, by_name: bool
) -> dict[WeightRef, New]:
    """The weights that an entry matches in one way, without those that are not to be renamed."""
    weights = ((ref, one) for ref, one in known.by(name=by_name, names=way.names) if ref not in but)
    made = ((ref, one, way(one.all)) for ref, one in weights if ref.kind is not Kind.OPTIMIZER)
    return {ref: _moved(ref, one, new, entry) for ref, one, new in made if new is not None}


def _moved(ref: WeightRef, one: Steps, made: Renamed, entry: Renaming) -> New:
    own = len(one.own)
    is_kept = made.names[-own:] == one.own
    layers, name = (made.names[:-own], ref.name) if is_kept else (made.names[:-1], made.names[-1])
    if made.names == one.all:
        new = ref
    elif one.is_stored:
        new = replace(_placed(ref, layers, name, entry), structure="/".join(made.names), also=())
    else:
        new = moved(ref, layers, name)
    return New(new, layers[: made.base], entry, is_kept, one.is_stored)


def _placed(ref: WeightRef, layers: Sequence[str], name: str | None, entry: Renaming) -> WeightRef:
    """A weight that is known by its path; what only moves has another path, and no name by that."""
    return replace(ref, near=()) if entry.moves and ref.layer is None else moved(ref, layers, name)


def _require_apart(new: Sequence[WeightRef], refs: Sequence[WeightRef]) -> None:
    """Refuse two weights at one address: one of them would be lost."""
    seen: dict[tuple[str, ...], WeightRef] = {}
    for ref, before in zip(new, refs, strict=True):
        other = seen.setdefault(address(ref), before)
        if other is not before and ref.kind is not Kind.OPTIMIZER:
            kept = before if address(before) == address(ref) else other
            away = escape_pattern(kept.layer or kept.owner)
            raise RequestError(
                f"rename makes one of two weights of the source: {other.path} and {before.path} are both {ref.path}",
                hint=f"rename '{away}/**' to 'unused/**' before it, or load one of the two alone with source_at= and "
                "target_at= (--source-at, --target-at)",
            )

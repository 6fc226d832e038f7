"""The weights of a source under the addresses that a renaming gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weightkit.access.matching.layer_tree import address
from weightkit.access.matching.told.at_layer import no_such_layer
from weightkit.access.matching.told.moved import moved, steps
from weightkit.access.ref import Kind
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def renamed(refs: Sequence[WeightRef], entries: Iterable[Renaming]) -> dict[WeightRef, New]:
    """The new addresses of those weights that a renaming matches, by the weights of the source.

    Args:
        refs: The weights of the source.
        entries: The renaming; the first that matches a weight counts. A plain name that no layer at the top has is
            looked for in layers.

    Raises:
        RequestError: An entry matches nothing, or two weights would have one address.
    """
    found: dict[WeightRef, New] = {}
    left = [ref for ref in refs if ref.kind is not Kind.OPTIMIZER]
    for entry in entries:
        new = _matched(entry, left)
        if not new:
            problem = f"rename: {entry.pattern!r} matches no weight of the source that is not renamed already"
            raise no_such_layer(problem, entry.pattern, refs)
        found |= new
        left = [ref for ref in left if ref not in new]
    _require_apart([found[ref].ref if ref in found else ref for ref in refs], refs)
    return found


def _matched(entry: Renaming, refs: Sequence[WeightRef]) -> dict[WeightRef, New]:
    for way in (entry, entry.anywhere):
        found = {ref: new for ref in refs if way is not None and (new := _new(ref, way, entry)) is not None}
        if found:
            return found
    return {}


def _new(ref: WeightRef, way: Renaming, entry: Renaming) -> New | None:
    both = ((one, way(one.all)) for one in steps(ref))
    return next((_moved(ref, one, made, entry) for one, made in both if made is not None), None)


def _moved(ref: WeightRef, one: Steps, made: Renamed, entry: Renaming) -> New:
    own = len(one.own)
    is_kept = made.names[-own:] == one.own
    layers, name = (made.names[:-own], ref.name) if is_kept else (made.names[:-1], made.names[-1])
    return New(moved(ref, layers, name), layers[: made.base], entry)


def _require_apart(new: Sequence[WeightRef], refs: Sequence[WeightRef]) -> None:
    """Refuse two weights at one address: one of them would be lost."""
    seen: dict[tuple[str, ...], WeightRef] = {}
    for ref, before in zip(new, refs, strict=True):
        other = seen.setdefault(address(ref), before)
        if other is not before and ref.kind is not Kind.OPTIMIZER:
            raise RequestError(
                f"rename makes one of two weights of the source: {other.path} and {before.path} are both {ref.path}",
                hint="rename the other one to something else",
            )

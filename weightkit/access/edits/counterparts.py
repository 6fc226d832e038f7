"""Match the weights of a store with those of a plan made on another store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.matching import match
from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef

_HINT = "make the plan here"


def counterparts(
    known: Iterable[WeightRef],
    wanted: Sequence[WeightRef],
    theirs: Iterable[WeightRef],
    planned_on: str,
    label: str,
    *,
    ordered: bool = False,
) -> dict[WeightRef, WeightRef]:
    """Find the weights of a plan in another store, matched like those of any two stores.

    Args:
        known: All weights of the store that the plan was made on, in its order.
        wanted: Those that the plan changes.
        theirs: The other store.
        planned_on: The name of the plan's store in messages.
        label: The name of the other store in messages.
        ordered: Whether the weights of the plan come in the order of their layers.

    Raises:
        RequestError: A weight is missing, or has another shape or type.
    """
    try:
        found = match(known, theirs, ordered=ordered, strict=True)  # what was chosen by name is not changed by order
    except RequestError as error:
        raise _others(planned_on, error.problem, label) from error
    missing = [ref.path for ref in wanted if ref not in found.pairs]
    if missing:
        few = f"{len(missing)} of {len(wanted)} have no match by {found.by} ({listed(missing)})"
        raise _others(planned_on, few, label)
    asked = set(wanted)
    for mismatch in found.mismatched:
        if mismatch.ours in asked:
            raise RequestError(
                f"{mismatch.theirs.path}: {mismatch.what}, in {planned_on} and here", hint=_HINT, file=label
            )
    return {ref: found.pairs[ref] for ref in wanted}


def _others(planned_on: str, why: str, label: str) -> RequestError:
    return RequestError(f"the plan was made on {planned_on}, which has other weights: {why}", hint=_HINT, file=label)

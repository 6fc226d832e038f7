"""Which weight of a store is which of a plan that was made on another one."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef

_SHOWN = 3
_MEND = "make the plan here"


def counterparts(
    wanted: Sequence[WeightRef], theirs: Sequence[WeightRef], planned_on: str, label: str
) -> dict[WeightRef, WeightRef]:
    """The weights of a store that are those of a plan: by name where all are found so, else by structure.

    Args:
        wanted: The weights of the plan.
        theirs: All weights of the store.
        planned_on: What messages call the store of the plan.
        label: What they call this one.

    Raises:
        RequestError: A weight is not there, or has another shape or type.
    """
    found = _matched(wanted, theirs, planned_on, label)
    for ref, own in found.items():
        if own.shape != ref.shape or own.dtype.newbyteorder("=") != ref.dtype.newbyteorder("="):
            raise RequestError(
                f"{own.path} is {own.dtype} {own.shape}, and {ref.dtype} {ref.shape} in {planned_on}",
                mend=_MEND,
                file=label,
            )
    return found


def _matched(
    wanted: Sequence[WeightRef], theirs: Sequence[WeightRef], planned_on: str, label: str
) -> dict[WeightRef, WeightRef]:
    tried = []
    for way, field in (("name", "path"), ("structure", "structure")):
        address = operator.attrgetter(field)
        by_address = {address(ref): ref for ref in theirs}
        found = {ref: by_address[address(ref)] for ref in wanted if address(ref) in by_address}
        if len(found) == len(wanted):
            return found
        missing = [ref.path for ref in wanted if ref not in found]
        tried.append(f"{len(missing)} of {len(wanted)} weights are not there by {way} ({_listed(missing)})")
    raise RequestError(
        f"the plan was made on {planned_on}, and its weights are not those here: {', '.join(tried)}",
        mend=_MEND,
        file=label,
    )


def _listed(paths: Iterable[str]) -> str:
    found = list(paths)
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")

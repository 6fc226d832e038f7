"""A plan that was made on one store, for another with the same weights."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.plan import Plan, Skipped
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

_SHOWN = 3


def onto(plan: Plan, store: WeightStore) -> Plan:
    """The plan with the references of ``store``; the plan itself where it was made on these weights.

    Raises:
        RequestError: A weight is not there, or has another shape or type, or cannot be changed there.
    """
    theirs = tuple(store)
    if set(plan.chosen) <= set(theirs):
        return plan
    if plan.changes:
        raise RequestError(
            f"{plan.transform!r} was planned on {plan.label} and changes more than values",
            mend="make the plan on this file",
            file=store.label,
        )
    found = _matched(plan.chosen, theirs, plan.label, store.label)
    chosen = tuple(found[ref] for ref in plan.chosen)
    for ref, own in zip(plan.chosen, chosen, strict=True):
        _require_same(plan, ref, own, store.label)
    left = set(theirs) - set(chosen)
    skipped = tuple(Skipped(ref, f"not in the plan made on {plan.label}") for ref in theirs if ref in left)
    return replace(plan, label=store.label, chosen=chosen, skipped=skipped)


def _matched(
    wanted: Sequence[WeightRef], theirs: Sequence[WeightRef], planned_on: str, label: str
) -> dict[WeightRef, WeightRef]:
    """Which weight of a store is which of a plan: by name where all are found so, else by structure."""
    tried = []
    for way in ("path", "structure"):
        address = operator.attrgetter(way)
        by_address = {address(ref): ref for ref in theirs}
        found = {ref: by_address[address(ref)] for ref in wanted if address(ref) in by_address}
        if len(found) == len(wanted):
            return found
        missing = [ref.path for ref in wanted if ref not in found]
        tried.append(f"{len(missing)} of {len(wanted)} weights are not there by {way} ({_listed(missing)})")
    raise RequestError(
        f"the plan was made on {planned_on}, and its weights are not those here: {', '.join(tried)}",
        mend="make the plan here",
        file=label,
    )


def _require_same(plan: Plan, ref: WeightRef, own: WeightRef, label: str) -> None:
    if (own.shape, own.dtype) != (ref.shape, ref.dtype.newbyteorder("=")):
        why = f"is {own.dtype} {own.shape}, and {ref.dtype} {ref.shape} in {plan.label}"
    elif objection := plan.transform.objection(own):
        why = f"cannot be changed: {objection}"
    else:
        return
    raise RequestError(f"{own.path} {why}", mend="make the plan here", file=label)


def _listed(paths: Iterable[str]) -> str:
    found = list(paths)
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")

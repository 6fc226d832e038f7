"""Merge low-rank updates into the weights that they adapt, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.access.live import require_between_steps
from weightkit.errors import RequestError
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrized.restored_variables import restore_variables_on_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from weightkit.layers.parametrizations.parametrization import ComputedWeight

    Step = tuple[ComputedWeight, LowRank, Any]
    """A computed weight, its parametrization, and the added variables."""


def merge(name: str, computed: Iterable[ComputedWeight]) -> None:
    """Add the updates of a layer to its weights, where they were trained since the last merge.

    Only the last merge can be undone, so that repeated merges need no more memory.

    Args:
        name: The layer's name, for messages.
        computed: Its computed weights.

    Raises:
        RequestError: There are no updates, they are merged already, or a step of a running ``fit`` uses them.
    """
    found = _low_rank(name, computed)
    require_between_steps(_variables(found), f"{name} must not be merged")
    new = [step for step in found if not _is_merged(step) or step[1].is_trained(step[2], step[0].merge_record)]
    if not new:
        raise RequestError(f"{name}: the factors are merged already", hint="call unmerge(), or train them")
    # Numbered, since a merge may be of some of the weights, and is undone for the same ones.
    number = _last(found) + 1
    with _restored_on_error(new):
        for one, low_rank, added in new:
            record = low_rank.merge(added, one.weight, one.value(training=False))
            one.merge_record = record | {"number": number, "earlier": one.merge_record.get("number", 0)}


def unmerge(name: str, computed: Iterable[ComputedWeight]) -> None:
    """Undo the last merge of a layer.

    Raises:
        RequestError: There is none, or values that were trained or changed since would be lost.
    """
    found = _low_rank(name, computed)
    require_between_steps(_variables(found), f"{name} must not be unmerged")
    last = _last(found)
    if not last:
        raise RequestError(
            f"{name}: nothing is merged", hint="call merge() first; a merge that was saved cannot be undone"
        )
    steps = [step for step in found if step[0].merge_record.get("number") == last]
    # All are checked before any of them changes.
    for step in steps:
        problem, hint = _obstacle(step)
        if problem:
            raise RequestError(f"{name}: {problem}", hint=hint)
    with _restored_on_error(steps):
        for one, low_rank, added in steps:
            low_rank.unmerge(added, one.weight, one.merge_record)
            earlier = one.merge_record["earlier"]
            # Its values are gone, and its number says that there was an earlier merge.
            one.merge_record = {"number": earlier} if earlier else {}


def _restored_on_error(steps: list[Step]) -> AbstractContextManager[None]:
    """Set all of these weights, or none."""
    return restore_variables_on_error(_variables(steps), [one for one, _, _ in steps])


def _variables(steps: list[Step]) -> list[Any]:
    return [v for one, _, added in steps for v in (one.weight.variable, *(a.variable for a in added.values()))]


def _obstacle(step: Step) -> tuple[str, str]:
    """Why a merge cannot be undone, and what to do; empty where it can."""
    computed, low_rank, added = step
    label = computed.weight.label
    if "merged" not in computed.merge_record:
        return (
            f"only the last merge of {label} can be undone: its factors were trained between merges",
            "load the weights that you saved before",
        )
    if not _is_merged(step):
        return f"{label} was changed since it was merged, and the change would be lost", "keep it as it is"
    if low_rank.is_trained(added, computed.merge_record):
        return (
            f"the factors of {label} were trained after the merge, and the training would be lost",
            "call merge() again",
        )
    return "", ""


def _is_merged(step: Step) -> bool:
    computed, low_rank, _ = step
    return "merged" in computed.merge_record and low_rank.is_merged(computed.weight, computed.merge_record)


def _last(steps: Iterable[Step]) -> int:
    """The number of the last merge that is not undone; 0 where there is none."""
    return max(int(computed.merge_record.get("number", 0)) for computed, _, _ in steps)


def _low_rank(name: str, computed: Iterable[ComputedWeight]) -> list[Step]:
    computed = list(computed)
    if not computed:
        raise RequestError(f"{name} must be built, and is not", hint="call it on data first")
    found = [
        (one, low_rank, added) for one in computed for low_rank, added in one.steps if isinstance(low_rank, LowRank)
    ]
    if not found:
        raise RequestError(f"{name}: only LowRank can be merged, and it has none")
    if any(len(one.steps) > 1 for one, _, _ in found):
        raise RequestError(
            f"{name}: a weight with LowRank and other parametrizations cannot be merged", hint="use bake(model)"
        )
    return found

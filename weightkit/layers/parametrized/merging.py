"""Low-rank updates put into the weights that they adapt, and taken out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.low_rank import LowRank
from weightkit.layers.parametrized.restore_on_error import or_as_they_were

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from weightkit.layers.parametrizations.parametrization import Computed

    Step = tuple[Computed, LowRank, Any]
    """A computed weight, what it is computed by, and the variables that were added."""


def merge(name: str, computed: Iterable[Computed]) -> None:
    """Put the updates of a layer into its weights: those that say something since the last time.

    Only the last merge is kept to be undone, so that merging again and again takes no more memory.

    Args:
        name: The layer's name, for what is refused.
        computed: Its weights.

    Raises:
        RequestError: There is no update, or they are merged already.
    """
    found = _low_rank(name, computed)
    new = [step for step in found if not _is_merged(step) or step[1].is_trained(step[2], step[0].kept)]
    if not new:
        raise RequestError(f"{name}: the factors are merged already", hint="unmerge() first, or train them")
    number = _last(found) + 1
    with _whole(new):
        for one, low_rank, added in new:
            kept = low_rank.merge(added, one.weight, one.value(training=False))
            one.kept = kept | {"number": number, "earlier": one.kept.get("number", 0)}


def unmerge(name: str, computed: Iterable[Computed]) -> None:
    """Undo the last merge of a layer.

    Raises:
        RequestError: There is none, or what was trained or changed since would be lost.
    """
    found = _low_rank(name, computed)
    last = _last(found)
    if not last:
        raise RequestError(
            f"{name}: nothing is merged that could be undone", hint="merge() first; a merge that was saved is for good"
        )
    steps = [step for step in found if step[0].kept.get("number") == last]
    for step in steps:
        problem, hint = _not_to_undo(step)
        if problem:
            raise RequestError(f"{name}: {problem}", hint=hint)
    with _whole(steps):
        for one, low_rank, added in steps:
            low_rank.unmerge(added, one.weight, one.kept)
            earlier = one.kept["earlier"]
            one.kept = {"number": earlier} if earlier else {}


def _whole(steps: list[Step]) -> AbstractContextManager[None]:
    """All of these weights are set, or none."""
    variables = [v for one, _, added in steps for v in (one.weight.variable, *(a.variable for a in added.values()))]
    return or_as_they_were(variables, [one for one, _, _ in steps])


def _not_to_undo(step: Step) -> tuple[str, str]:
    """Why a merge cannot be undone, and what to do; empty where it can."""
    computed, low_rank, added = step
    label = computed.weight.label
    if "merged" not in computed.kept:
        return (
            f"only the last merge of {label} can be undone: its factors were trained since the one before",
            "to go back further, load the weights from before it",
        )
    if not _is_merged(step):
        return f"{label} was changed since it was merged, and that would be lost", "merge() starts from what it is"
    if low_rank.is_trained(added, computed.kept):
        return f"the factors of {label} were trained after they were merged, and that would be lost", "merge() again"
    return "", ""


def _is_merged(step: Step) -> bool:
    computed, low_rank, _ = step
    return "merged" in computed.kept and low_rank.is_merged(computed.weight, computed.kept)


def _last(steps: Iterable[Step]) -> int:
    """The number of the last merge that was not undone; 0 where there is none."""
    return max(int(computed.kept.get("number", 0)) for computed, _, _ in steps)


def _low_rank(name: str, computed: Iterable[Computed]) -> list[Step]:
    found = [
        (one, low_rank, added) for one in computed for low_rank, added in one.steps if isinstance(low_rank, LowRank)
    ]
    if not found:
        raise RequestError(f"{name} has no low-rank factors", hint="it takes LowRank to merge")
    if any(len(one.steps) > 1 for one, _, _ in found):
        raise RequestError(f"{name}: the factors share their weight with other parametrizations", hint="bake")
    return found

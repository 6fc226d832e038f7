"""Several acts in one edit: each changes the result of the one before, and the file is written once."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from weightkit.access.changes import NO_CHANGES
from weightkit.access.edits.arithmetic import transformed
from weightkit.access.edits.choose import plan_edit, require_act
from weightkit.access.edits.plan import Plan, Skipped, held_open
from weightkit.access.edits.transform import Transform
from weightkit.access.store import ALL
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import numpy as np

    from weightkit.access.ref import Kind, WeightRef
    from weightkit.access.select import Where
    from weightkit.access.store import WeightStore


@dataclass(frozen=True, slots=True)
class Step:
    """One act of several, and the weights that it changes."""

    transform: Transform
    chosen: frozenset[WeightRef]


@dataclass(frozen=True, slots=True)
class Chain(Transform):
    """Several transforms, one after the other."""

    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return repr([step.transform for step in self.steps])

    def __enter__(self) -> Self:
        """Keep open what the transforms read from."""
        with contextlib.ExitStack() as entered:
            for step in self.steps:
                entered.enter_context(held_open(step.transform))
            entered.pop_all()  # all are open: they stay so until the end of this one
        return self

    def __exit__(self, *_: object) -> None:
        # All of them are left, in reverse order, even if one fails.
        with contextlib.ExitStack() as left:
            for step in self.steps:
                left.push(held_open(step.transform))

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of weights that any of them changes by default."""
        return frozenset().union(*(step.transform.kinds for step in self.steps))

    @property
    def reads_models(self) -> bool:
        """Whether any of them may."""
        return any(step.transform.reads_models for step in self.steps)

    def require_apart(self, store: WeightStore, output: Path | None = None) -> None:
        """Check that none of the transforms reads from the store that it changes, nor from the output."""
        for step in self.steps:
            step.transform.require_apart(store, output)

    def whole(self, ref: WeightRef) -> bool:
        """Whether one of them needs this weight whole."""
        return any(step.transform.whole(ref) for step in self._of(ref))

    def dtype(self, ref: WeightRef) -> np.dtype:
        """The type that the last of them makes."""
        return self._of(ref)[-1].transform.dtype(ref)

    def objection(self, ref: WeightRef) -> str:
        """Why one of its transforms cannot change this weight; empty if all can."""
        return next((why for step in self._of(ref) if (why := step.transform.objection(ref))), "")

    def notes(self) -> tuple[str, ...]:
        """The notes of all of them."""
        return tuple(note for step in self.steps for note in step.transform.notes())

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> Chain:
        """The same for another store; ``pairs`` maps the planned references to the new ones."""
        return Chain(tuple(_rebound(step, pairs) for step in self.steps))

    def parts(self, ref: WeightRef) -> tuple[Transform, ...]:
        """The transforms of the steps that change this weight."""
        return tuple(step.transform for step in self._of(ref))

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """New values, rounded to the weight's type after each step, as separate edits would round them."""
        values = values.astype(ref.dtype, copy=False)
        for step in self._of(ref):
            values = transformed(step.transform, ref, values, span)
        return values

    def _of(self, ref: WeightRef) -> list[Step]:
        return [step for step in self.steps if ref in step.chosen]


def plan_all(store: WeightStore, acts: Sequence[Transform], where: Where, exclude: Where) -> Plan:
    """One plan of several acts, each planned on the store with the same selection.

    Raises:
        RequestError: `require_acts` refuses them.
        SelectionError: The selection is malformed, selects nothing for one of them, or leaves a weight undecided.
    """
    require_acts(acts, store.label)
    plans = [plan_edit(store, act, where, exclude) for act in acts]
    if len(plans) == 1:
        return plans[0]
    for plan in plans[:-1]:
        if plan.changes:  # a transform may change a file without saying so in ``sets_types``
            raise _not_last(plan.transform, plans[-1].transform, store.label)
    return _joined(tuple(store), plans)


def require_acts(acts: Sequence[object], label: str) -> None:
    """Check a list of acts before anything is opened or planned for them.

    Raises:
        RequestError: There is none, one is not an act, or they cannot be done in one pass over a file.
    """
    if not acts:
        raise RequestError("acts must be one or more, got none", hint="give one, such as Scale(0.5)", file=label)
    found = [require_act(act, label) for act in acts]
    removing = [act for act in found if not act.sets_values]
    if removing and len(found) > 1:
        raise RequestError(
            f"a list must hold acts that set values, got {removing[0]!r}, which removes them",
            hint="do it in a separate edit",
            file=label,
        )
    for act in found[:-1]:
        if act.sets_types:
            raise _not_last(act, found[-1], label)


def _not_last(act: Transform, last: Transform, label: str) -> RequestError:
    return RequestError(f"{act!r} must be the last of a list, got it before {last!r}", hint="give it last", file=label)


def _joined(refs: tuple[WeightRef, ...], plans: Sequence[Plan]) -> Plan:
    chosen = {ref for plan in plans for ref in plan.chosen}
    # In reverse, so that the reason of the first act stays.
    reasons = {skipped.ref: skipped.reason for plan in reversed(plans) for skipped in plan.skipped}
    changes = NO_CHANGES
    for plan in plans:
        changes = changes | plan.changes
    return replace(
        plans[0],
        transform=Chain(tuple(Step(plan.transform, frozenset(plan.chosen)) for plan in plans)),
        chosen=tuple(ref for ref in refs if ref in chosen),
        skipped=tuple(Skipped(ref, reasons[ref]) for ref in refs if ref not in chosen),
        notes=_distinct(note for plan in plans for note in plan.notes),
        changes=changes,
    )


def _distinct(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def _rebound(step: Step, pairs: Mapping[WeightRef, WeightRef]) -> Step:
    own = {ref: theirs for ref, theirs in pairs.items() if ref in step.chosen}
    return Step(step.transform.rebound(own), frozenset(own.values()))

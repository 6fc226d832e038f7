"""From planned flags to a model that has them: set, recompiled, and undone."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.onto import counterparts
from weightkit.errors import RequestError
from weightkit.training.compiled import is_compiled, require_compilable
from weightkit.training.flags import Flags, flags_of, layer_flags
from weightkit.training.plan import Flag, FreezePlan
from weightkit.training.recompiling import Unfrozen, recompile
from weightkit.training.weights import Layered, look_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.ref import WeightRef

_NOT_COMPILED = "the model has not been compiled: the flags hold from its next compile on"
_LEFT = "the model was not recompiled: Keras may go on training as before until it is"


class NothingTrainedWarning(UserWarning):
    """After this, no weight of the model is trained."""


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What was done to a model, and how to take it back."""

    model: weakref.ref[Any]
    before: Flags
    recompiled: bool

    def undo(self) -> None:
        """Put the flags back; compile again where that was done."""
        model = self.model()
        if model is None:
            raise RequestError("the model of this plan is gone", mend="apply the plan to another one")
        if self.recompiled:
            require_compilable(model)
        self.before.set()
        if self.recompiled:
            recompile(model)


def do(
    seen: Layered,
    act: str,
    wanted: Mapping[WeightRef, bool],
    updating: Mapping[int, bool],
    notes: tuple[str, ...] = (),
    *,
    recompile_too: bool,
    unfrozen_slots: Unfrozen = "own_step",
) -> FreezePlan:
    """Give weights their flags, the layers those that follow, and compile the model again.

    Args:
        seen: The model.
        act: What this is called.
        wanted: New flags of some parameters.
        updating: By ``id`` of a BatchNormalization, whether it goes on measuring.
        notes: What there is to tell.
        recompile_too: Whether to compile it again, where it is compiled.
        unfrozen_slots: As `recompile` takes it.
    """
    compiles = recompile_too and is_compiled(seen.model)
    if compiles:
        require_compilable(seen.model)
    before, plan = flags_of(seen.layers), _planned(seen, act, wanted, updating, notes)
    if not compiles:
        plan = replace(plan, notes=(*plan.notes, _LEFT if is_compiled(seen.model) else _NOT_COMPILED))
    trained = {id(seen.parameters[flag.ref]) for flag in plan.weights if flag.after}
    variables = tuple((seen.parameters[flag.ref], flag.after) for flag in plan.weights)
    Flags(tuple(layer_flags(seen.layers, trained, dict(updating))), variables).set()
    if compiles:
        try:
            report = recompile(seen.model, unfrozen_slots=unfrozen_slots)
        except BaseException:
            before.set()
            raise
        plan = replace(plan, notes=(*plan.notes, report.summary(), *report.notes))
    if not trained:
        note = "no weight of the model is trained any more"
        warnings.warn(note, NothingTrainedWarning, stacklevel=4)
        plan = replace(plan, notes=(*plan.notes, note))
    return replace(plan, done=Done(weakref.ref(seen.model), before, compiles))


def apply_plan(plan: FreezePlan, model: Any, *, recompile_too: bool) -> FreezePlan:
    """Give a model the flags of a plan that was made on the same one, perhaps in another process."""
    seen = look_at(model)
    known = [flag.ref for flag in (*plan.weights, *plan.statistics)]
    theirs = [*seen.parameters, *seen.normalizations]
    found = counterparts(known, known, theirs, plan.label, seen.label, ordered=plan.ordered)
    wanted = {found[flag.ref]: flag.after for flag in plan.weights}
    updating = {id(seen.normalizations[found[flag.ref]]): flag.after for flag in plan.statistics}
    return do(seen, plan.act, wanted, updating, recompile_too=recompile_too)


def _planned(
    seen: Layered, act: str, wanted: Mapping[WeightRef, bool], updating: Mapping[int, bool], notes: tuple[str, ...]
) -> FreezePlan:
    trained = {id(variable) for variable in seen.model.trainable_variables}
    weights = []
    for ref, variable in seen.parameters.items():
        before = id(variable) in trained
        weights.append(Flag(ref, before, wanted.get(ref, before)))
    statistics = []
    for ref, layer in seen.normalizations.items():
        before = bool(layer.trainable)
        statistics.append(Flag(ref, before, updating.get(id(layer), before)))
    return FreezePlan(seen.label, act, tuple(weights), tuple(statistics), notes, seen.ordered)

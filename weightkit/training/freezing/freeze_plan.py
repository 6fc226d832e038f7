"""What freezing changes: flags before and after, weight by weight; it prints, undoes itself, and is kept as JSON."""

from __future__ import annotations

import json
import os
import warnings
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.access.live import counterparts, write_file
from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.arguments import require_flag
from weightkit.training.freezing.undo import Done, counts_own, or_as_they_were
from weightkit.training.model.compile_arguments import is_compiled, require_compilable
from weightkit.training.model.flag import Flag, flag_from_dict, flag_to_dict
from weightkit.training.model.flags import Flags, flags_of, layer_flags
from weightkit.training.model.weights import Layered, look_at
from weightkit.training.optimizer.recompiling import Unfrozen, compile_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access import WeightRef

SCHEMA = "weightkit.freeze/1"
_NOT_COMPILED = "the model has not been compiled: the flags hold from its next compile on"
_NOTHING = "no weight of the model is trained any more"
_LEFT = "the model was not recompiled: Keras may go on training as before until it is"


class NothingTrainedWarning(UserWarning):
    """After this, no weight of the model is trained."""


@dataclass(frozen=True, slots=True)
class FreezePlan:
    """The flags of all weights of a model before and after, as a value."""

    label: str
    act: str
    """``freeze``, ``unfreeze``, with what was selected."""
    weights: tuple[Flag, ...]
    """All that could be trained."""
    statistics: tuple[Flag, ...] = ()
    """Moving means and variances of BatchNormalizations."""
    notes: tuple[str, ...] = ()
    ordered: bool = False
    """Whether the weights come in the order of the layers."""
    done: Done | None = field(default=None, compare=False, repr=False)
    """How to undo it, where it was done here."""

    @property
    def changed(self) -> tuple[Flag, ...]:
        """The weights whose flag changes, statistics included."""
        return tuple(flag for flag in (*self.weights, *self.statistics) if flag.before != flag.after)

    def summary(self) -> str:
        """What changes, in one line."""
        frozen = sum(not flag.after for flag in self.weights)
        return f"{self.act} on {self.label}: {len(self.changed)} flags change, {frozen} of {len(self.weights)} frozen"

    def __str__(self) -> str:
        lines = [self.summary()]
        for flag in self.changed:
            on, off = ("updated", "held") if flag.ref.kind is Kind.STATISTIC else ("trained", "frozen")
            lines.append(f"  {flag.ref.path}  {flag.ref.shape}  {on if flag.after else off}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(escape(line) for line in lines)

    def undo(self, *, unfrozen_slots: Unfrozen = "own_step") -> None:
        """Give every layer and every variable the flag that it had, and the optimizer what was set aside.

        Where this plan has unfrozen the weights for which there is a MultiOptimizer now, and they alone, the optimizer
        is afterwards a single one again, with the slots of all other weights bit for bit; theirs are forgotten, as
        they had none before.

        Args:
            unfrozen_slots: How weights begin that are unfrozen by this, and that the optimizer has never trained; see
                `recompile`.

        Raises:
            RequestError: It was read from a file, its model is gone, or as `recompile` does.
        """
        if self.done is None:
            raise RequestError("this plan was not done here, so that nothing tells what was", hint="apply(model) first")
        self.done.undo(unfrozen_slots)

    def apply(self, model: Any, *, recompile: bool = True, unfrozen_slots: Unfrozen = "own_step") -> FreezePlan:
        """Give a model the flags of this plan: the same model loaded again, whose single weights Keras forgets.

        Args:
            model: The model.
            recompile: Whether to compile it again, where it is compiled.
            unfrozen_slots: How weights begin that the optimizer has never trained; see `recompile`.

        Returns:
            The plan as it was done here, which can be undone.

        Raises:
            RequestError: The model's weights are not those of the plan.
        """
        return _apply(self, model, recompile_too=recompile, unfrozen_slots=unfrozen_slots)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with all that `from_dict` needs."""
        return {
            "schema": SCHEMA,
            "label": self.label,
            "act": self.act,
            "ordered": self.ordered,
            "weights": [flag_to_dict(flag) for flag in self.weights],
            "statistics": [flag_to_dict(flag) for flag in self.statistics],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FreezePlan:
        """From what `to_dict` gave.

        Raises:
            RequestError: It is something else.
        """
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise RequestError(f"this is no {SCHEMA}", hint="give what FreezePlan.save wrote")
        try:
            weights = tuple(map(flag_from_dict, data["weights"]))
            statistics = tuple(map(flag_from_dict, data["statistics"]))
            return cls(data["label"], data["act"], weights, statistics, tuple(data["notes"]), bool(data["ordered"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(f"this {SCHEMA} is incomplete: {error!r}", hint="save the plan again") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a JSON file, whole or not at all, over whatever file is there.

        Raises:
            RequestError: It cannot lie there, or cannot be written.
            MachineError: The system failed as it was put in place; what was there is untouched.
        """
        name, text = os.fspath(path), json.dumps(self.to_dict(), indent=1)
        try:
            write_file(name, text.encode())
        except RequestError as error:
            raise RequestError(f"cannot be written: {error.problem}", hint=error.hint, file=name) from error
        except OSError as error:
            raise RequestError(f"cannot be written: {error.strerror}", hint="give a file name", file=name) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FreezePlan:
        """Read what `save` wrote.

        Raises:
            RequestError: There is no such file, or it is something else.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except RequestError as error:
            raise error.about(str(path)) from error.__cause__
        except (OSError, ValueError, RecursionError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise RequestError(f"cannot be read: {why}", hint="give a saved plan", file=str(path)) from error


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
    require_flag("recompile", recompile_too)
    compiles = recompile_too and is_compiled(seen.model)
    if compiles:
        require_compilable(seen.model)
    before, plan = flags_of(seen.layers), _planned(seen, act, wanted, updating, notes)
    if not compiles:
        plan = replace(plan, notes=(*plan.notes, _LEFT if is_compiled(seen.model) else _NOT_COMPILED))
    trained = {id(seen.parameters[flag.ref]) for flag in plan.weights if flag.after}
    if not trained:  # told before it is done: a warning may be made an error
        warnings.warn(_NOTHING, NothingTrainedWarning, stacklevel=4)
    variables = tuple((seen.parameters[flag.ref], flag.after) for flag in plan.weights)
    after = Flags(tuple(layer_flags(seen.layers, trained, dict(updating))), variables)
    with or_as_they_were(before):
        after.set()
        if compiles:
            report = compile_with(seen.model, own_step=counts_own(unfrozen_slots))
            plan = replace(plan, notes=(*plan.notes, report.summary(), *report.notes))
    if not trained:
        plan = replace(plan, notes=(*plan.notes, _NOTHING))
    return replace(plan, done=Done(weakref.ref(seen.model), before, flags_of(seen.layers), recompile_too))


def _apply(plan: FreezePlan, model: Any, *, recompile_too: bool, unfrozen_slots: Unfrozen) -> FreezePlan:
    """Give a model the flags of a plan that was made on the same one, perhaps in another process."""
    seen = look_at(model)
    known = [flag.ref for flag in (*plan.weights, *plan.statistics)]
    theirs = [*seen.parameters, *seen.normalizations]
    found = counterparts(known, known, theirs, plan.label, seen.label, ordered=plan.ordered)
    wanted = {found[flag.ref]: flag.after for flag in plan.weights}
    updating = {id(seen.normalizations[found[flag.ref]]): flag.after for flag in plan.statistics}
    return do(seen, plan.act, wanted, updating, recompile_too=recompile_too, unfrozen_slots=unfrozen_slots)


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

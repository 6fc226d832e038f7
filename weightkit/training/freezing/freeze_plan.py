"""What freezing changes: the flag of every weight before and after. A plan prints, is undone, and is saved as JSON."""

from __future__ import annotations

import json
import os
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.access.live import counterparts, write_file
from weightkit.errors import RequestError
from weightkit.escape import escape, escape_cell
from weightkit.training.freezing.applied_freeze import AppliedFreeze
from weightkit.training.freezing.flag_change import change_flags
from weightkit.training.model.compile_arguments import require_changeable
from weightkit.training.model.flag import Flag, flag_from_dict, flag_to_dict
from weightkit.training.model.flags import Flags, flags_of, layer_flags
from weightkit.training.model.held_notes import held_notes
from weightkit.training.model.model_view import ModelView, view_model
from weightkit.training.optimizer.recompiling import CompileOptions, OptimizerStateChoice, StepCount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access import WeightRef
    from weightkit.layers.parametrized.replacing.in_place import InPlace

SCHEMA = "weightkit.freeze/1"


@dataclass(frozen=True, slots=True)
class FreezePlan:
    """The flag of every weight of a model before and after."""

    label: str
    act: str
    """The call that made it, such as ``freeze(backbone)``."""
    weights: tuple[Flag, ...]
    """Every weight that can be trained."""
    statistics: tuple[Flag, ...] = ()
    """Moving means and variances of BatchNormalizations."""
    notes: tuple[str, ...] = ()
    ordered: bool = False
    """Whether the weights are in the order of the layers."""
    held: tuple[str, ...] = ()
    """What it holds of weights of which the rest is trained, in words."""
    applied: AppliedFreeze | None = field(default=None, compare=False, repr=False)
    """How to undo it; None for a plan that was loaded from a file and not applied."""

    @property
    def changed(self) -> tuple[Flag, ...]:
        """The weights whose flag changes, moving statistics included."""
        return tuple(flag for flag in (*self.weights, *self.statistics) if flag.before != flag.after)

    def summary(self) -> str:
        """What changes, in one line that can be printed."""
        frozen = sum(not flag.after for flag in self.weights)
        counts = f"{len(self.changed)} flags change, {frozen} of {len(self.weights)} frozen"
        counts += f", {len(self.held)} with held entries" if self.held else ""
        return f"{escape(self.act)} on {escape(self.label)}: {counts}"

    def __str__(self) -> str:
        lines = [self.summary()]
        for flag in self.changed:
            on, off = ("updated", "frozen") if flag.ref.kind is Kind.STATISTIC else ("trained", "frozen")
            lines.append(f"  {escape_cell(flag.ref.path)}  {flag.ref.shape}  {on if flag.after else off}")
        lines += [f"  note: {escape(note)}" for note in self.notes]
        return "\n".join(lines)

    def undo(self, *, optimizer_state: OptimizerStateChoice = "carry", step_count: StepCount = "separate") -> None:
        """Restore the flag of every layer and variable that this plan changed, and the parked slots.

        A plan that unfroze weights may have made a MultiOptimizer for them. Where it is for them alone, the optimizer
        becomes the single one again: all other weights keep their slots bit for bit, and these weights lose theirs,
        since they had none before.

        Args:
            optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.
            step_count: The step count of weights that this unfreezes and the optimizer has never trained; see
                `recompile`.

        Raises:
            RequestError: The plan was loaded and not applied, its model is gone, or as `recompile` does.
        """
        options = CompileOptions(optimizer_state=optimizer_state, step_count=step_count)
        if self.applied is None:
            raise RequestError("a plan must be applied before it is undone", hint="call apply(model) first")
        self.applied.undo(options)

    def apply(
        self,
        model: Any,
        *,
        recompile: bool = True,
        optimizer_state: OptimizerStateChoice = "carry",
        step_count: StepCount = "separate",
    ) -> FreezePlan:
        """Set the flags of this plan on a model, such as the same model loaded from a file.

        Files of Keras have the flags of layers, not those of single weights.

        Args:
            model: The model.
            recompile: Whether to compile it again, where it is compiled.
            optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.
            step_count: The step count of weights that the optimizer has never trained; see `recompile`.

        Returns:
            The plan as it was applied to this model, which can be undone.

        Raises:
            RequestError: The model's weights are not those of the plan, or it does not hold the entries that the plan
                holds.
        """
        view, options = view_model(model), CompileOptions(recompile, optimizer_state, step_count)
        missing = [note for note in self.held if note not in held_notes(view.layers)]
        if missing:
            raise RequestError(
                f"{view.label} must hold the entries that the plan holds: {missing[0]}",
                hint="load the model that was saved with them, or call freeze for them",
            )
        known = [flag.ref for flag in (*self.weights, *self.statistics)]
        here = [*view.parameters, *view.normalizations]
        found = counterparts(known, known, here, self.label, view.label, ordered=self.ordered)
        wanted = {found[flag.ref]: flag.after for flag in self.weights}
        updating = {id(view.normalizations[found[flag.ref]]): flag.after for flag in self.statistics}
        return apply_flags(view, self.act, wanted, updating, options=options)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON, from which `from_dict` makes the plan again."""
        return {
            "schema": SCHEMA,
            "label": self.label,
            "act": self.act,
            "ordered": self.ordered,
            "weights": [flag_to_dict(flag) for flag in self.weights],
            "statistics": [flag_to_dict(flag) for flag in self.statistics],
            "notes": list(self.notes),
            "held": list(self.held),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FreezePlan:
        """Make a plan from the dictionary of `to_dict`.

        Raises:
            RequestError: It is not such a dictionary.
        """
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise RequestError(f"schema must be {SCHEMA}", hint="use a file that FreezePlan.save wrote")
        try:
            weights = tuple(map(flag_from_dict, data["weights"]))
            statistics = tuple(map(flag_from_dict, data["statistics"]))
            notes, ordered, held = tuple(data["notes"]), bool(data["ordered"]), tuple(data.get("held", ()))
            return cls(data["label"], data["act"], weights, statistics, notes, ordered, held)
        # Any JSON may be in the file: each of these means that a part has another form.
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(f"the plan ({SCHEMA}) is incomplete: {error!r}", hint="save the plan again") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as a JSON file, completely or not at all; an existing file is replaced.

        Raises:
            RequestError: The path cannot be written.
            MachineError: The system failed while it replaced the file; an existing file is unchanged.
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
        """Read a plan that `save` wrote.

        Raises:
            RequestError: There is no such file, or it is not a plan.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except RequestError as error:
            raise error.about(str(path)) from error.__cause__
        # RecursionError: Python's parser of JSON calls itself for each nested list.
        except (OSError, ValueError, RecursionError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise RequestError(
                f"cannot be read: {why}", hint="use a file that FreezePlan.save wrote", file=str(path)
            ) from error


def apply_flags(
    view: ModelView,
    act: str,
    wanted: Mapping[WeightRef, bool],
    updating: Mapping[int, bool],
    notes: tuple[str, ...] = (),
    *,
    options: CompileOptions,
    held: InPlace | None = None,
) -> FreezePlan:
    """Set the flags of weights and those of layers that follow from them, and compile again what trains them.

    Args:
        view: The model.
        act: The call, as the plan prints it.
        wanted: New flags of some weights.
        updating: By ``id`` of a BatchNormalization, whether training updates its statistics.
        notes: Notes for the plan.
        options: Whether and how to compile the model, and every other compiled model whose training this changes.
        held: Layers that were wrapped for the plan, to hold entries.

    Raises:
        RequestError: ``fit`` or similar runs for a model that holds its weights, or one cannot be compiled; nothing
            changes.
    """
    change = f"the trainable flags of {view.label} must not change"
    require_changeable(view.model, change, recompiles=options.recompile)
    entries = held_notes(view.layers)
    before, plan = flags_of(view.layers), _plan(view, act, wanted, updating, (*notes, *entries))
    trained = {id(view.parameters[flag.ref]) for flag in plan.weights if flag.after}
    variables = tuple((view.parameters[flag.ref], flag.after) for flag in plan.weights)
    after = Flags(tuple(layer_flags(view.layers, trained, dict(updating))), variables)
    done = change_flags(view.model, before, after, options, also=() if held is None else held.models)
    # Flags are read back, those of all layers.
    applied = AppliedFreeze(weakref.ref(view.model), before, flags_of(view.layers), options.recompile, held)
    return replace(plan, notes=(*plan.notes, *done), applied=applied, held=() if held is None else entries)


def _plan(
    view: ModelView, act: str, wanted: Mapping[WeightRef, bool], updating: Mapping[int, bool], notes: tuple[str, ...]
) -> FreezePlan:
    trained = {id(variable) for variable in view.model.trainable_variables}
    weights = []
    for ref, variable in view.parameters.items():
        before = id(variable) in trained
        weights.append(Flag(ref, before, wanted.get(ref, before)))
    statistics = []
    for ref, layer in view.normalizations.items():
        before = bool(layer.trainable)
        statistics.append(Flag(ref, before, updating.get(id(layer), before)))
    return FreezePlan(view.label, act, tuple(weights), tuple(statistics), notes, view.ordered)

"""Train some weights, and freeze all others."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.errors import RequestError, SelectionError
from weightkit.training.freezing.freeze_plan import FreezePlan, apply_flags
from weightkit.training.freezing.selected_weights import select_weights
from weightkit.training.freezing.special_layers import lora_bases, normalizations_of, spectral_norm_notes
from weightkit.training.model.layer_order import layers_in_order
from weightkit.training.model.model_view import ModelView, view_model
from weightkit.training.model.statistics_policy import Statistics, updating_layers
from weightkit.training.optimizer.recompiling import CompileOptions

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.training.freezing.layer_choice import LayerWhere
    from weightkit.training.optimizer.recompiling import OptimizerStateChoice, StepCount


def freeze_all_but(
    model: Any,
    where: LayerWhere,
    *,
    exclude: LayerWhere = None,
    statistics: Statistics = "freeze",
    recompile: bool = True,
    optimizer_state: OptimizerStateChoice = "carry",
    step_count: StepCount = "separate",
) -> FreezePlan:
    """Train the weights that a selection finds, and freeze all others; the arguments are those of `unfreeze`.

    Raises:
        SelectionError: The selection is malformed or finds nothing; nothing changes.
        RequestError: As `freeze` and `recompile` do.
    """
    options = CompileOptions(recompile, optimizer_state, step_count)
    view = view_model(model)
    chosen = select_weights(view, where, exclude)
    act = f"freeze_all_but({chosen.text})"
    return _train_only(view, act, set(chosen.refs), statistics, options, notes=chosen.notes)


def freeze_to(
    model: Any,
    depth: int | LayerWhere,
    *,
    statistics: Statistics = "freeze",
    recompile: bool = True,
    optimizer_state: OptimizerStateChoice = "carry",
    step_count: StepCount = "separate",
) -> FreezePlan:
    """Freeze the first layers of a model, and train the others.

    Args:
        model: A model whose layers have an order: Sequential or Functional, nested ones too.
        depth: How many layers with weights to freeze, from the input; negative, how many to train, from the output.
            Or a selection such as a layer's name, or a layer: it and all before it are frozen. It may have no weights.
        statistics: As in `freeze`, for the frozen layers.
        recompile: Whether to compile the model again.
        optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.
        step_count: The step count of weights that the optimizer has never trained; see `recompile`.

    Raises:
        SelectionError: There is no such layer, or there are fewer layers.
        RequestError: The model's layers have no order, or as `freeze` and `recompile` do.
    """
    options = CompileOptions(recompile, optimizer_state, step_count)
    view = view_model(model)
    owners = list(dict.fromkeys(ref.owner for ref in view.refs))
    count, act, notes = _count(view, depth, owners)
    first = set(owners[:count])
    rest = {ref for ref in view.refs if ref.owner not in first}
    return _train_only(view, f"freeze_to({act})", rest, statistics, options, notes=notes)


def _count(view: ModelView, depth: int | LayerWhere, owners: list[str]) -> tuple[int, str, tuple[str, ...]]:
    """How many of the layers with weights ``depth`` freezes, how plans print it, and notes."""
    # True is an int in Python.
    if depth is None or isinstance(depth, bool | float):
        raise RequestError(f"depth must be a number of layers, a layer or its name, got {depth!r}")
    if not view.ordered:
        raise RequestError(
            "the model must be Sequential or Functional: its layers have no order that is known",
            hint="select layers by name, with freeze",
            file=view.label,
        )
    if isinstance(depth, int | np.integer):
        return _counted(view, int(depth), len(owners)), repr(int(depth)), ()
    chosen = select_weights(view, depth)
    # A selection may find several layers: the last one decides.
    last = [owners.index(ref.owner) for ref in chosen.refs]
    last += [owners.index(owner) for layer in chosen.without_weights for owner in _owners_before(view, layer)]
    return 1 + max(last, default=-1), chosen.text, chosen.notes


def _counted(view: ModelView, depth: int, count: int) -> int:
    """A number of layers, from either end, as a number from the input."""
    if abs(depth) > count:
        raise SelectionError(
            f"depth must be at most the number of layers with weights, {count}, got {depth}", file=view.label
        )
    return depth if depth >= 0 else count + depth


def _owners_before(view: ModelView, layer: Any) -> set[str]:
    """The structural addresses of layers with weights before one that has none."""
    before = itertools.takewhile(lambda one: one is not layer, (one for _, one in layers_in_order(view.model)))
    variables = {id(variable) for one in before for variable in one._trainable_variables}  # noqa: SLF001
    return {ref.owner for ref, variable in view.parameters.items() if id(variable) in variables}


def _train_only(
    view: ModelView,
    act: str,
    chosen: set[WeightRef],
    statistics: Statistics,
    options: CompileOptions,
    *,
    notes: tuple[str, ...],
) -> FreezePlan:
    """Train these weights and freeze all others."""
    bases = lora_bases(view)
    wanted = {ref: ref in chosen and id(variable) not in bases for ref, variable in view.parameters.items()}
    off = {ref: False for ref, flag in wanted.items() if not flag}
    on = {ref: True for ref, flag in wanted.items() if flag}
    updating, statistics_notes = updating_layers(view, [ref for ref in view.refs if ref not in chosen], off, statistics)
    # A layer that is trained in part goes on updating its statistics, although they are not selected.
    if statistics != "keep":
        updating |= {id(layer): True for layer in normalizations_of(view, on)}
    notes = (*notes, *statistics_notes, *spectral_norm_notes(view, off))
    return apply_flags(view, act, wanted, updating, notes, options=options)

"""Train some weights, and freeze all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.errors import RequestError, SelectionError
from weightkit.training.freezing.freeze_plan import FreezePlan, apply_flags
from weightkit.training.freezing.selected_weights import call_text, select_weights
from weightkit.training.freezing.special_layers import lora_bases, normalizations_of, spectral_norm_notes
from weightkit.training.model.model_view import ModelView, view_model
from weightkit.training.model.statistics_policy import Statistics, updating_layers
from weightkit.training.optimizer.recompiling import CompileOptions

if TYPE_CHECKING:
    from weightkit.access import WeightRef, Where
    from weightkit.training.optimizer.recompiling import OptimizerStateChoice, StepCount


def freeze_all_but(
    model: Any,
    where: Where,
    *,
    exclude: Where = None,
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
    chosen = set(select_weights(view, where, exclude))
    return _train_only(view, f"freeze_all_but({call_text(where, exclude)})", chosen, statistics, options)


def freeze_to(
    model: Any,
    depth: int | str,
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
            Or a selection such as a layer's name: that layer and all before it are frozen.
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
    layers = list(dict.fromkeys(ref.owner for ref in view.refs))
    first = set(layers[: _count(view, depth, layers)])
    rest = {ref for ref in view.refs if ref.owner not in first}
    return _train_only(view, f"freeze_to({depth!r})", rest, statistics, options)


def _count(view: ModelView, depth: int | str, layers: list[str]) -> int:
    """How many of the layers ``depth`` freezes."""
    # True is an int in Python.
    if not isinstance(depth, int | np.integer | str) or isinstance(depth, bool):
        raise RequestError(f"depth must be a number of layers or a layer's name, got {depth!r}")
    if not view.ordered:
        raise RequestError(
            "the model must be Sequential or Functional: its layers have no order that is known",
            hint="select layers by name, with freeze",
            file=view.label,
        )
    if isinstance(depth, str):
        # A selection may find several layers: the last one decides.
        return 1 + max(layers.index(ref.owner) for ref in select_weights(view, depth, None))
    if abs(depth) > len(layers):
        raise SelectionError(
            f"depth must be at most the number of layers with weights, {len(layers)}, got {depth}", file=view.label
        )
    return int(depth if depth >= 0 else len(layers) + depth)


def _train_only(
    view: ModelView, act: str, chosen: set[WeightRef], statistics: Statistics, options: CompileOptions
) -> FreezePlan:
    """Train these weights and freeze all others."""
    bases = lora_bases(view)
    wanted = {ref: ref in chosen and id(variable) not in bases for ref, variable in view.parameters.items()}
    off = {ref: False for ref, flag in wanted.items() if not flag}
    on = {ref: True for ref, flag in wanted.items() if flag}
    updating, notes = updating_layers(view, [ref for ref in view.refs if ref not in chosen], off, statistics)
    # A layer that is trained in part goes on updating its statistics, although they are not selected.
    if statistics != "keep":
        updating |= {id(layer): True for layer in normalizations_of(view, on)}
    notes += spectral_norm_notes(view, off)
    return apply_flags(view, act, wanted, updating, notes, options=options)

"""Freeze and unfreeze the weights that a selection finds."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from weightkit.arguments import one_of
from weightkit.training.freezing.entries import split_entries
from weightkit.training.freezing.freeze_plan import FreezePlan, apply_flags
from weightkit.training.freezing.selected_weights import select_weights
from weightkit.training.freezing.special_layers import lora_bases, normalizations_of, spectral_norm_notes
from weightkit.training.freezing.turns import frozen_in_turn
from weightkit.training.model.model_view import view_model
from weightkit.training.model.statistics_policy import Statistics, updating_layers
from weightkit.training.optimizer.rates import checked_rate
from weightkit.training.optimizer.recompiling import CompileOptions, require_step_count
from weightkit.training.parametrizing.in_place import in_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.layers.parametrized.replacing.in_place import InPlace
    from weightkit.training.freezing.layer_choice import LayerWhere
    from weightkit.training.model.model_view import ModelView
    from weightkit.training.optimizer.recompiling import OptimizerStateChoice, StepCount

FrozenStateChoice = Literal["carry", "fresh", "own"]


def freeze(
    model: Any,
    where: LayerWhere | Mapping[str, Any],
    *,
    exclude: LayerWhere = None,
    statistics: Statistics = "freeze",
    recompile: bool = True,
    optimizer_state: OptimizerStateChoice = "carry",
) -> FreezePlan:
    """Stop training the weights that a selection finds: whole layers or single weights, nested and shared ones too.

    Each weight's own flag is set. The flag of a layer is off when every weight in it is frozen, so that Keras' lists,
    summaries and files show it as frozen, and on when one is trained. The flag of the model itself stays on.

    Rows and single entries have no flag: `weightkit.layers.Held` holds them, in a wrapper that takes the place of their
    layer as in `parametrize_in_place`. They keep their bits, and the rest of the weight is trained. ``undo()`` of the
    plan takes the wrapper out again.

    Args:
        model: A model, compiled or not. A compiled model is compiled again, as `recompile` does.
        where: What to freeze, in the selection language: ``"backbone"``, ``"name:bias"``, several, or selectors. Or
            layers themselves, such as ``model.layers[:249]``; or a base model whose layers are in this one. Layers
            without weights are noted. Or rows or entries: an index as in NumPy after a layer or a weight
            (``"emb[0:8]"``), or a dictionary from weights to such an index or an array of booleans
            (``{"emb/embeddings": mask}``); in a list too.
        exclude: What to leave out of it.
        statistics: What happens to the moving mean and variance of the BatchNormalizations that are selected.
            ``freeze`` stops updating them where the whole layer is frozen or its statistics are selected; ``update``
            goes on updating them; ``keep`` leaves the layer's flag as it is.
        recompile: Whether to compile the model again; until that is done, Keras may go on training frozen weights.
        optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.

    Returns:
        The plan, already applied: print it, `undo()` it, `save()` it.

    Raises:
        SelectionError: The selection is malformed, a path in it leads to nothing, or a layer is not in the model;
            nothing changes.
        RequestError: The model is not built, is being trained, or cannot be compiled again; or entries are wrong, of a
            layer that is wrapped already, or of one that cannot be replaced.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(1)])
        >>> plan = freeze(model, "a")
        >>> [flag.ref.path for flag in plan.changed]
        ['a/kernel', 'a/bias']
        >>> plan.undo()
        >>> len(model.trainable_variables)
        4
    """
    options = CompileOptions(recompile, optimizer_state)
    whole, entries = split_entries(model, where)
    if not entries:
        return _freeze(view_model(model), whole, exclude, statistics, options)
    with in_place(model, entries, options) as held:
        view, text = view_model(model), " | ".join(one.key for one in entries)
        if whole:
            return _freeze(view, whole, exclude, statistics, options, text=f" | {text}", held=held)
        return apply_flags(view, f"freeze({text})", {}, {}, options=options, held=held)


def unfreeze(
    model: Any,
    where: LayerWhere,
    *,
    exclude: LayerWhere = None,
    statistics: Statistics = "update",
    recompile: bool = True,
    optimizer_state: OptimizerStateChoice = "carry",
    step_count: StepCount = "separate",
    learning_rate: Any = None,
) -> FreezePlan:
    """Train the weights that a selection finds; the counterpart of `freeze`.

    The base kernel of a layer with LoRA stays frozen, and so do variables that were made with ``trainable=False``.
    Parked slots are restored, bit for bit.

    Args:
        model: A model, compiled or not.
        where: What to train, in the selection language.
        exclude: What to leave out of it.
        statistics: What happens to the moving mean and variance of the BatchNormalizations that are selected:
            ``update`` them, ``freeze`` them while their gamma and beta are trained, or ``keep`` the layer's flag.
        recompile: Whether to compile the model again.
        optimizer_state: ``carry`` the optimizer's state, or start ``fresh``; see `recompile`.
        step_count: The step count of weights that the optimizer has never trained; see `recompile`.
        learning_rate: A rate of their own for these weights, a number or a schedule; see `learning_rates`. It stays
            theirs after `undo`. By default they have that of their optimizer.

    Raises:
        SelectionError: The selection is malformed or finds nothing; nothing changes.
        RequestError: As `freeze` and `recompile` do, or there is a ``learning_rate`` and nothing is compiled again.
    """
    rate = None if learning_rate is None else checked_rate(learning_rate)
    options = CompileOptions(recompile, optimizer_state, step_count)
    view = view_model(model)
    chosen = select_weights(view, where, exclude)
    bases = lora_bases(view)
    wanted = {ref: True for ref in chosen.refs if ref in view.parameters and id(view.parameters[ref]) not in bases}
    updating, notes = updating_layers(view, chosen.refs, wanted, statistics)
    if statistics == "freeze":
        updating |= {id(layer): False for layer in normalizations_of(view, wanted)}
    if rate is not None:
        options = replace(options, rates={id(view.parameters[ref]): rate for ref in wanted})
    notes = (*chosen.notes, *notes)
    return apply_flags(view, f"unfreeze({chosen.text})", wanted, updating, notes, options=options)


@contextlib.contextmanager
def frozen(
    model: Any,
    where: LayerWhere | Mapping[str, Any],
    *,
    exclude: LayerWhere = None,
    statistics: Statistics = "freeze",
    optimizer_state: FrozenStateChoice = "carry",
    step_count: StepCount = "separate",
) -> Iterator[FreezePlan]:
    """Freeze weights inside a ``with`` statement, and restore every flag at its end.

    With ``optimizer_state="own"``, every compiled model whose training changes gets an optimizer of its own in the
    block, for exactly the weights that it trains there. At its first entry, the optimizer is a new one, with the
    configuration and the learning rate of the present one. It is put back at each later entry, with the functions that
    Keras has compiled for it; after the block, so are those from before it. Alternate training, as of a GAN, compiles
    once for each set of weights. ``compile``, `recompile` or `freeze` of such a model start over.

    Args:
        model: See `freeze`, as for the other arguments.
        where: See `freeze`; with ``own``, whole weights and layers alone.
        exclude: See `freeze`.
        statistics: See `freeze`.
        optimizer_state: ``carry`` the optimizer's state into the block and out of it, start ``fresh`` at both ends, or
            have an optimizer of its ``own`` in the block.
        step_count: The step count, at the end, of weights that the optimizer has never trained; see `recompile`. It
            has no meaning with ``own``, where no weight changes its optimizer.

    Raises:
        SelectionError: As `freeze` does.
        RequestError: As `freeze` and `recompile` do, at either end.

    Example:
        >>> with frozen(model, "backbone"):  # doctest: +SKIP
        ...     model.fit(data)
    """
    one_of("optimizer_state", optimizer_state, ("carry", "fresh", "own"))
    require_step_count(step_count)  # before it freezes
    if optimizer_state == "own":
        with frozen_in_turn(model, where, exclude, statistics, _freeze) as plan:
            yield plan
        return
    plan = freeze(model, where, exclude=exclude, statistics=statistics, optimizer_state=optimizer_state)
    try:
        yield plan
    finally:
        plan.undo(optimizer_state=optimizer_state, step_count=step_count)


def _freeze(
    view: ModelView,
    where: LayerWhere,
    exclude: LayerWhere,
    statistics: Statistics,
    options: CompileOptions,
    *,
    text: str = "",
    held: InPlace | None = None,
) -> FreezePlan:
    """Freeze whole weights of a model, in which the plan may hold entries of others; ``text`` says which."""
    chosen = select_weights(view, where, exclude)
    # The selection may also find statistics and seeds, which have no flag of their own.
    wanted = {ref: False for ref in chosen.refs if ref in view.parameters}
    updating, notes = updating_layers(view, chosen.refs, wanted, statistics)
    notes = (*chosen.notes, *notes, *spectral_norm_notes(view, wanted))
    return apply_flags(view, f"freeze({chosen.text}{text})", wanted, updating, notes, options=options, held=held)

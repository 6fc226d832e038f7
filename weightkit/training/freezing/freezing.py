"""Freeze and unfreeze by selection."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.select import Where, combine, missed
from weightkit.errors import RequestError, SelectionError
from weightkit.training.freezing.freeze_plan import FreezePlan, do
from weightkit.training.freezing.lora_bases import lora_bases, normalized, reached
from weightkit.training.model.statistics_policy import Statistics, policy
from weightkit.training.model.weights import Layered, look_at
from weightkit.training.optimizer.recompiling import require_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.ref import WeightRef
    from weightkit.training.optimizer.recompiling import Unfrozen


def freeze(
    model: Any,
    where: Where,
    *,
    exclude: Where = None,
    statistics: Statistics = "freeze",
    recompile: bool = True,
) -> FreezePlan:
    """Stop training what a selection chooses: whole layers or single weights, nested and shared ones too.

    Each weight's own flag is set. A layer's flag goes off when every weight in it is frozen, so that Keras' lists,
    summaries and files see it frozen, and comes on when one is trained; the flag of the model itself stays on.

    Args:
        model: A model, compiled or not. One that is compiled is compiled again, with its optimizer's memory.
        where: What to freeze, in the selection language: ``"backbone"``, ``"name:bias"``, several, or selectors.
        exclude: What of it not.
        statistics: What becomes of the moving statistics of BatchNormalizations that are reached. ``freeze`` holds
            them where the whole layer is frozen or its statistics are selected; ``update`` lets them move on;
            ``keep`` leaves the layer's flag as it is.
        recompile: Whether to compile the model again; without that, Keras may go on as before.

    Returns:
        The plan as it was done: print it, `undo()` it, `save()` it.

    Raises:
        SelectionError: The selection is malformed or chooses nothing; nothing was changed.
        RequestError: The model has not been built, is being trained, or cannot be compiled again.

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
    seen = look_at(model)
    chosen = _select(seen, where, exclude)
    wanted = {ref: False for ref in chosen if ref in seen.parameters}
    updating, notes = policy(seen, chosen, wanted, statistics)
    notes += normalized(seen, wanted)
    return do(seen, f"freeze({_said(where, exclude)})", wanted, updating, notes, recompile_too=recompile)


def unfreeze(
    model: Any,
    where: Where,
    *,
    exclude: Where = None,
    statistics: Statistics = "update",
    recompile: bool = True,
    unfrozen_slots: Unfrozen = "own_step",
) -> FreezePlan:
    """Train what a selection chooses; the counterpart of `freeze`.

    The base kernel of a layer with LoRA stays frozen, and so does what was not made to be trained. Weights whose
    slots were set aside get them back, bit for bit.

    Args:
        model: A model, compiled or not.
        where: What to train, in the selection language.
        exclude: What of it not.
        statistics: What becomes of the moving statistics of BatchNormalizations that are reached: ``update``,
            ``freeze`` (their weights are trained, their statistics held) or ``keep``.
        recompile: Whether to compile the model again.
        unfrozen_slots: How weights begin that the optimizer has never trained; see `recompile`.

    Raises:
        SelectionError: The selection is malformed or chooses nothing; nothing was changed.
        RequestError: As `freeze` and `recompile` do.
    """
    seen = look_at(model)
    chosen = _select(seen, where, exclude)
    bases = lora_bases(seen)
    wanted = {ref: True for ref in chosen if ref in seen.parameters and id(seen.parameters[ref]) not in bases}
    updating, notes = policy(seen, chosen, wanted, statistics)
    if statistics == "freeze":
        updating |= {id(layer): False for layer in reached(seen, wanted)}
    said = f"unfreeze({_said(where, exclude)})"
    return do(seen, said, wanted, updating, notes, recompile_too=recompile, unfrozen_slots=unfrozen_slots)


@contextlib.contextmanager
def frozen(
    model: Any,
    where: Where,
    *,
    exclude: Where = None,
    statistics: Statistics = "freeze",
    unfrozen_slots: Unfrozen = "own_step",
) -> Iterator[Any]:
    """Freeze within a ``with`` statement, and put every flag back at its end; the arguments are those of `freeze`.

    With ``unfrozen_slots``, as `recompile` takes it, weights begin that come back at its end and that the optimizer has
    never trained: those of an optimizer that took its first steps within.

    Example:
        >>> with frozen(model, "backbone"):  # doctest: +SKIP
        ...     model.fit(data)
    """
    require_known(unfrozen_slots)
    plan = freeze(model, where, exclude=exclude, statistics=statistics)
    try:
        yield plan
    finally:
        plan.undo(unfrozen_slots=unfrozen_slots)


def freeze_all_but(
    model: Any,
    where: Where,
    *,
    exclude: Where = None,
    statistics: Statistics = "freeze",
    recompile: bool = True,
    unfrozen_slots: Unfrozen = "own_step",
) -> FreezePlan:
    """Train what a selection chooses, and nothing else.

    Raises:
        SelectionError: The selection is malformed or chooses nothing; nothing was changed.
        RequestError: As `freeze` and `recompile` do.
    """
    seen = look_at(model)
    chosen = set(_select(seen, where, exclude))
    said = f"freeze_all_but({_said(where, exclude)})"
    return _only(seen, said, chosen, statistics, recompile_too=recompile, unfrozen_slots=unfrozen_slots)


def freeze_to(
    model: Any,
    depth: int | str,
    *,
    statistics: Statistics = "freeze",
    recompile: bool = True,
    unfrozen_slots: Unfrozen = "own_step",
) -> FreezePlan:
    """Freeze the first layers, and train the others.

    Args:
        model: A model whose layers have an order: Sequential and Functional, nested too.
        depth: How many layers with weights are frozen, from the input; negative, how many are trained, from the
            output. Or a selection such as a layer's name: that layer and all before it are frozen.
        statistics: As in `freeze`, for the frozen ones.
        recompile: Whether to compile the model again.
        unfrozen_slots: How weights begin that the optimizer has never trained; see `recompile`.

    Raises:
        SelectionError: There is no such layer, or there are not as many.
        RequestError: The model's layers have no order, or as `freeze` and `recompile` do.
    """
    seen = look_at(model)
    if not isinstance(depth, int | np.integer | str) or isinstance(depth, bool):
        raise RequestError(f"depth is {depth!r}", hint="give a whole number of layers, or a layer's name")
    if not seen.ordered:
        raise RequestError("its layers have no order that is known", hint="select them by name", file=seen.label)
    layers = list(dict.fromkeys(ref.owner for ref in seen.refs))
    if isinstance(depth, str):
        count = 1 + max(layers.index(ref.owner) for ref in _select(seen, depth, None))
    elif abs(depth) > len(layers):
        raise SelectionError(f"{depth} of {len(layers)} layers", hint="give fewer", file=seen.label)
    else:
        count = depth if depth >= 0 else len(layers) + depth
    first = set(layers[:count])
    rest = {ref for ref in seen.refs if ref.owner not in first}
    return _only(
        seen, f"freeze_to({depth!r})", rest, statistics, recompile_too=recompile, unfrozen_slots=unfrozen_slots
    )


def _only(
    seen: Layered,
    said: str,
    chosen: set[WeightRef],
    statistics: Statistics,
    *,
    recompile_too: bool,
    unfrozen_slots: Unfrozen,
) -> FreezePlan:
    """Train these and freeze all others."""
    bases = lora_bases(seen)
    wanted = {ref: ref in chosen and id(variable) not in bases for ref, variable in seen.parameters.items()}
    off = {ref: False for ref, flag in wanted.items() if not flag}
    updating, notes = policy(seen, [ref for ref in seen.refs if ref not in chosen], off, statistics)
    if statistics != "keep":
        updating |= {id(layer): True for layer in reached(seen, {ref: True for ref, flag in wanted.items() if flag})}
    notes += normalized(seen, off)
    return do(seen, said, wanted, updating, notes, recompile_too=recompile_too, unfrozen_slots=unfrozen_slots)


def _select(seen: Layered, where: Where, exclude: Where) -> list[WeightRef]:
    """All weights that a selection reaches, of whatever kind; one variable under two addresses by either."""
    chosen, excluded = (
        None if one is None else one.bind(seen.refs, ordered=seen.ordered) for one in combine(where, exclude)
    )
    if chosen is None:
        raise SelectionError("there is no selection", hint="give where=, such as a layer's name", file=seen.label)
    missed(chosen, excluded, seen.refs, seen.label)
    found = [ref for ref in seen.refs if chosen(ref) and not (excluded is not None and excluded(ref))]
    if not any(ref in seen.parameters or ref in seen.normalizations for ref in found):
        raise SelectionError(
            f"the selection '{chosen}' chooses nothing that could be trained", hint="widen it", file=seen.label
        )
    return found


def _said(where: Where, exclude: Where) -> str:
    chosen, excluded = combine(where, exclude)
    return f"{chosen}" + ("" if excluded is None else f", exclude={excluded}")

"""The usual recipe of gradual unfreezing, as a list of stages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError, SelectionError
from weightkit.training.freezing.layer_choice import choices_in, matching_layers
from weightkit.training.freezing.selected_weights import select_weights
from weightkit.training.model.model_view import view_model
from weightkit.training.stages.stage import EarlyStop, Stage, StageRate

if TYPE_CHECKING:
    from weightkit.access import Selector, WeightRef
    from weightkit.training.freezing.layer_choice import LayerWhere
    from weightkit.training.model.model_view import ModelView


@dataclass(frozen=True, slots=True)
class _Group:
    """What one stage begins to train."""

    name: str
    train: tuple[Any, ...]
    """Selections, as `Stage` takes them."""
    first: int
    """The place of its first weight in the model."""


def unfreeze_schedule(
    model: Any,
    per_stage: str | Selector | Iterable[LayerWhere],
    *,
    epochs: int = 1,
    learning_rate: StageRate = None,
    early_stopping: EarlyStop = None,
) -> list[Stage]:
    r"""The stages of gradual unfreezing: the head alone, then one group of layers more in each, from the top down.

    In the last stage everything trains. From Howard and Ruder 2018 (arXiv 1801.06146), section 3.3. Layers above the
    groups are the head, which is the first stage. Those between two groups train with the group before them, and
    those before the first group train with it.

    Args:
        model: A model that has been built, whose layers have an order: Sequential or Functional.
        per_stage: The groups. A selection: each layer that it matches is one, such as a block that is a model or layer
            (``"block*"``, ``"backbone/stage*"``, ``"class:TransformerEncoder"``). A regular expression with
            parentheses: weights with the same text in them are one (``r"re:^(block\d+)"`` for ``block1_conv1``,
            ``block1_conv2``, ``block2_conv1``). Or a list of selections, layers, or lists of these: each is one.
        epochs: How many epochs each stage has, at most.
        learning_rate: The learning rate at the beginning of each stage, or several by selection; see `Stage`.
        early_stopping: What ends each stage early; see `Stage`.

    Returns:
        The stages, which can be changed (``dataclasses.replace``) before `staged_fit` takes them.

    Raises:
        SelectionError: A selection is malformed, or finds no weights.
        RequestError: The model's layers have no order that is known, or it is not built.

    Example:
        >>> import keras
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("block1", "block2", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers])
        >>> [stage.train for stage in unfreeze_schedule(model, "block*")]
        [('head',), ('head', 'block2'), ('head', 'block2', 'block1')]
    """
    view = view_model(model)
    if not view.ordered:
        raise RequestError(
            "the model must be Sequential or Functional: its layers have no order that is known",
            hint="write the list of stages yourself",
            file=view.label,
        )
    train: tuple[Any, ...] = ()
    stages = []
    for group in _all_groups(view, per_stage):
        train = (*train, *group.train)
        stages.append(Stage(train, epochs, learning_rate, early_stopping, group.name))
    return stages


def _all_groups(view: ModelView, per_stage: Any) -> list[_Group]:
    """The groups and the head, from the output to the input; every weight is in one of them."""
    places = {ref: place for place, ref in enumerate(view.parameters)}
    found = {name: (train, _found(view, train)) for name, train in _groups(view, per_stage).items()}
    groups = [_Group(name, train, min(places[ref] for ref in refs)) for name, (train, refs) in found.items() if refs]
    if not groups:
        raise SelectionError(f"per_stage finds no weight that can be trained, got {per_stage!r}", file=view.label)
    groups.sort(key=lambda group: group.first)
    known = {ref for _, refs in found.values() for ref in refs}
    last = max(places[ref] for ref in known)
    rest: dict[int, list[WeightRef]] = {}
    for ref, place in places.items():
        if ref not in known:
            before = sum(group.first < place for group in groups)
            rest.setdefault(len(groups) if place > last else max(0, before - 1), []).append(ref)
    head = _addresses(rest.pop(len(groups), []), groups)
    joined = [
        _Group(group.name, (*group.train, *_addresses(rest.get(place, []), groups)), group.first)
        for place, group in enumerate(groups)
    ]
    top = [_Group(" | ".join(head), head, len(places))] if head else []
    return [*top, *reversed(joined)]


def _groups(view: ModelView, per_stage: Any) -> dict[str, tuple[Any, ...]]:
    """By name, the selections of each group."""
    if not isinstance(per_stage, str) and isinstance(per_stage, Iterable):
        given = [tuple(choices_in(one)) for one in per_stage]
        return {select_weights(view, train).text: train for train in given}
    if isinstance(per_stage, str) and per_stage.startswith("re:") and _groups_text(per_stage):
        return _by_text(view, per_stage)
    outermost: list[str] = []
    for path in matching_layers(view, per_stage):
        if not any(path.startswith(f"{around}/") for around in outermost):
            outermost.append(path)
    return {path: (path,) for path in outermost}


def _groups_text(per_stage: str) -> bool:
    """Whether a regular expression has parentheses; a malformed one is refused elsewhere."""
    try:
        return bool(re.compile(per_stage.removeprefix("re:")).groups)
    except re.error:
        return False


def _by_text(view: ModelView, per_stage: str) -> dict[str, tuple[Any, ...]]:
    """Layers whose paths have the same text in the first parentheses."""
    pattern = re.compile(per_stage.removeprefix("re:"))
    layers: dict[str, dict[Any, None]] = {}
    for ref in view.parameters:
        match = pattern.search(ref.path)
        if match and match[1]:
            layers.setdefault(match[1], {})[ref.layer or ref.path] = None
    return {text: tuple(paths) for text, paths in layers.items()}


def _found(view: ModelView, train: tuple[Any, ...]) -> list[WeightRef]:
    """The weights of a group; a layer without weights has none."""
    return [ref for ref in select_weights(view, train).refs if ref in view.parameters]


def _addresses(refs: list[WeightRef], groups: list[_Group]) -> tuple[str, ...]:
    """The layers of weights that are in no group, or the weights themselves where a group is in their layer."""
    inside = [str(one) for group in groups for one in group.train]
    found: dict[str, None] = {}
    for ref in refs:
        layer = ref.layer or ref.path
        found[ref.path if any(path.startswith(f"{layer}/") for path in inside) else layer] = None
    return tuple(found)

"""The weights of a model that a selection finds, for freezing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import selected
from weightkit.errors import SelectionError
from weightkit.training.freezing.layer_choice import ChosenLayers, Layers

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.training.freezing.layer_choice import LayerWhere
    from weightkit.training.model.model_view import ModelView


@dataclass(frozen=True, slots=True)
class SelectedWeights:
    """The weights that were selected, and what to say of the selection."""

    refs: tuple[WeightRef, ...]
    """Of any kind; none where only layers without weights were selected."""
    without_weights: tuple[Any, ...]
    """Selected layers that have no weights to train."""
    text: str
    """The arguments of the call, as plans print them."""
    notes: tuple[str, ...]


def select_weights(view: ModelView, where: LayerWhere, exclude: LayerWhere = None) -> SelectedWeights:
    """All weights that a selection finds, of any kind; a variable with two addresses is found by either.

    Layers without weights may be selected, with a note.

    Raises:
        SelectionError: The selection is malformed, or part of it leads to nothing.
    """
    if where is None:
        raise SelectionError("where must select something, got None", hint="give a layer's name", file=view.label)
    layers = Layers(view)
    chosen, excluded = ChosenLayers.of(layers, where), ChosenLayers.of(layers, exclude)
    refs, notes = _found(view, chosen, excluded)
    text = chosen.text if exclude is None else f"{chosen.text}, exclude={excluded.text}"
    without = tuple(chosen.without_weights.values())
    return SelectedWeights(refs, without, text, (*notes, *chosen.notes(), *excluded.notes()))


def _found(
    view: ModelView, chosen: ChosenLayers, excluded: ChosenLayers
) -> tuple[tuple[WeightRef, ...], tuple[str, ...]]:
    """The weights, and notes of the selection language."""
    if not chosen.choices and chosen.without_weights:
        return (), ()
    found = selected(view, chosen.choices, excluded.choices or None)
    if not any(ref in view.parameters or ref in view.normalizations for ref in found.refs):
        raise SelectionError(
            f"the selection '{chosen.text}' finds no weight that can be trained", hint="select more", file=view.label
        )
    return found.refs, found.notes

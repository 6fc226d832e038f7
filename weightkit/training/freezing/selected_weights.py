"""The weights of a model that a selection finds, for freezing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.edits.choose import Where, missed
from weightkit.access.select import combine
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef
    from weightkit.training.model.model_view import ModelView


def select_weights(view: ModelView, where: Where, exclude: Where) -> list[WeightRef]:
    """All weights that a selection finds, of any kind; a variable with two addresses is found by either."""
    chosen, excluded = (
        None if one is None else one.bind(view.refs, ordered=view.ordered) for one in combine(where, exclude)
    )
    if chosen is None:
        raise SelectionError("where must select something, got None", hint="give a layer's name", file=view.label)
    missed(chosen, excluded, view.refs, view.label)
    found = [ref for ref in view.refs if chosen(ref) and not (excluded is not None and excluded(ref))]
    if not any(ref in view.parameters or ref in view.normalizations for ref in found):
        raise SelectionError(
            f"the selection '{chosen}' finds no weight that can be trained", hint="select more", file=view.label
        )
    return found


def call_text(where: Where, exclude: Where) -> str:
    """The arguments of a call, as plans print them."""
    chosen, excluded = combine(where, exclude)
    return f"{chosen}" + ("" if excluded is None else f", exclude={excluded}")

"""The weights of a model that a selection finds, for freezing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import combine, selected
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from weightkit.access import WeightRef, Where
    from weightkit.training.model.model_view import ModelView


def select_weights(view: ModelView, where: Where, exclude: Where) -> list[WeightRef]:
    """All weights that a selection finds, of any kind; a variable with two addresses is found by either."""
    if where is None:
        raise SelectionError("where must select something, got None", hint="give a layer's name", file=view.label)
    found = list(selected(view, where, exclude).refs)
    if not any(ref in view.parameters or ref in view.normalizations for ref in found):
        raise SelectionError(
            f"the selection '{call_text(where, None)}' finds no weight that can be trained",
            hint="select more",
            file=view.label,
        )
    return found


def call_text(where: Where, exclude: Where) -> str:
    """The arguments of a call, as plans print them."""
    chosen, excluded = combine(where, exclude)
    return f"{chosen}" + ("" if excluded is None else f", exclude={excluded}")

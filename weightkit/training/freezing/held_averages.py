"""Moving averages of weights whose held entries are trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.training.model.compile_arguments import is_compiled
from weightkit.training.optimizer.slot_values import set_values, values_of
from weightkit.training.optimizer.slots import AVERAGE, slots_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def start_averages(model: Any, held: Iterable[tuple[Any, np.ndarray]]) -> None:
    """Let the moving average of entries that were held begin at their values.

    While they were held, it followed what weight decay made of the weight beside them, and Keras would overwrite the
    entries with it.

    Args:
        model: A model, compiled or not.
        held: Variables, each with a mask of the entries.
    """
    masks = {id(variable): mask for variable, mask in held}
    for slot in slots_of(model.optimizer) if masks and is_compiled(model) else ():
        if slot.name == AVERAGE and id(slot.owner) in masks:
            set_values(slot.variable, np.where(masks[id(slot.owner)], values_of(slot.owner), values_of(slot.variable)))

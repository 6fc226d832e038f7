"""The values of an optimizer's slots: read by weight, and written into another optimizer, bit for bit.

Values are copied through NumPy arrays. On JAX a weight and its moving average may share one buffer after a ``fit``
(Keras 3.15), and the next ``fit`` fails with "donate the same buffer twice"; a copy gives each its own buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import handle_of, owned
from weightkit.training.optimizer.slots import AVERAGE, parts_of, slots_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weightkit.training.optimizer.slots import Slot


@dataclass(slots=True)
class VariableSlots:
    """The slots of one variable, by name."""

    owner: Any
    """The model's variable."""
    optimizer_class: str
    """The class of the optimizer that had them: in another class, a slot of the same name means something else."""
    slots: dict[str, np.ndarray] = field(default_factory=dict)

    def without(self, name: str) -> VariableSlots:
        """The same without one slot."""
        return replace(self, slots={key: values for key, values in self.slots.items() if key != name})


def read_slots(optimizer: Any) -> dict[int, VariableSlots]:
    """The slots of every variable that an optimizer was built on, by the variable's ``id``."""
    found: dict[int, VariableSlots] = {}
    for slot in slots_of(optimizer):
        entry = found.setdefault(id(slot.owner), VariableSlots(slot.owner, type(slot.optimizer).__name__))
        entry.slots[slot.name] = values_of(slot.variable)
    return found


def write_slots(optimizer: Any, known: Mapping[int, VariableSlots]) -> None:
    """Fill the slots of a built optimizer; slots without known values stay as built.

    A moving average without a known value starts at the weight: at zero, Keras would overwrite the weight with it.
    """
    for slot in slots_of(optimizer):
        values = _known_values(known, slot)
        if values is not None:
            set_values(slot.variable, values)
        elif slot.name == AVERAGE:
            set_values(slot.variable, values_of(slot.owner))


def copy_state(pairs: Iterable[tuple[Any, Any]], parked: Mapping[tuple[int, str], np.ndarray]) -> None:
    """Copy the state that belongs to no variable, such as the step count, from old optimizers to new ones.

    Args:
        pairs: Old and new optimizers.
        parked: State of old optimizers that are built on nothing now, by ``id`` and name.
    """
    for old, new in pairs:
        before, after = own_state(old), own_state(new)
        for name, variable in after.items():
            source = before.get(name)
            values = parked.get((id(old), name)) if source is None else values_of(source)
            if values is not None:
                set_values(variable, values)


def own_state(optimizer: Any) -> Mapping[str, Any]:
    """The variables of an optimizer itself, not of inner ones, that belong to no weight."""
    return parts_of(optimizer)[0].state


def values_of(variable: Any) -> np.ndarray:
    """A copy of a variable's values, in its own dtype."""
    handle = handle_of(variable)
    return np.array(handle.look(handle.value()), copy=True)


def set_values(variable: Any, values: np.ndarray) -> None:
    """Set a variable to values in a buffer of its own, which the backend may take over."""
    handle_of(variable).set(owned(values))


def _known_values(known: Mapping[int, VariableSlots], slot: Slot) -> np.ndarray | None:
    """Known values for a slot, where optimizer class, shape and dtype are the same."""
    entry = known.get(id(slot.owner))
    if entry is None or entry.owner is not slot.owner or entry.optimizer_class != type(slot.optimizer).__name__:
        return None
    values, handle = entry.slots.get(slot.name), handle_of(slot.variable)
    now = handle.look(handle.value())
    return values if values is not None and (values.shape, values.dtype) == (now.shape, now.dtype) else None

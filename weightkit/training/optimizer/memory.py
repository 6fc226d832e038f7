"""What an optimizer remembers: taken out by the variable it belongs to, put into another optimizer, bit for bit.

Values are copied through arrays of NumPy. On JAX a weight and its moving average may be one buffer after a ``fit``
(Keras 3.15), which Keras then fails to donate; a copy parts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import handle_of, owned
from weightkit.training.optimizer.slots import AVERAGE, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True)
class OwnerMemory:
    """The slots of one variable, by name."""

    owner: Any
    kind: str
    """The class of the optimizer that kept them: another one's slots mean something else."""
    slots: dict[str, np.ndarray] = field(default_factory=dict)


def remember(optimizer: Any) -> dict[int, OwnerMemory]:
    """The slots of every variable that an optimizer was built on, by the variable's ``id``."""
    found: dict[int, OwnerMemory] = {}
    for part in parts_of(optimizer):
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is None:
                    continue
                kept = found.setdefault(id(owner), OwnerMemory(owner, type(part.optimizer).__name__))
                kept.slots[name] = values_of(variable)
    return found


def put_slots(optimizer: Any, memory: Mapping[int, OwnerMemory]) -> None:
    """Fill the slots of an optimizer that is built; those that are not remembered stay as they were built.

    A moving average that is not remembered begins at the weight: at zero, Keras would overwrite the weight with it.
    """
    for part in parts_of(optimizer):
        kind = type(part.optimizer).__name__
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is None:
                    continue
                values = _remembered(memory, owner, kind, name, variable)
                if values is not None:
                    set_values(variable, values)
                elif name == AVERAGE:
                    set_values(variable, values_of(owner))


def put_state(pairs: Iterable[tuple[Any, Any]], kept: Mapping[tuple[int, str], np.ndarray]) -> None:
    """Copy the state that belongs to no variable from old optimizers to new ones, part by part.

    Args:
        pairs: Old and new optimizers.
        kept: State of old optimizers that are built on nothing now, by ``id`` and name.
    """
    for old, new in pairs:
        before, after = parts_of(old)[0], parts_of(new)[0]
        for name, variable in after.state.items():
            source = before.state.get(name)
            values = kept.get((id(old), name)) if source is None else values_of(source)
            if values is not None:
                set_values(variable, values)


def values_of(variable: Any) -> np.ndarray:
    """A copy of what a variable holds, in its own type."""
    handle = handle_of(variable)
    return np.array(handle.look(handle.value()), copy=True)


def set_values(variable: Any, values: np.ndarray) -> None:
    """Give a variable values, in memory that nothing else has, and that the backend may take over."""
    handle_of(variable).set(owned(values))


def _remembered(
    memory: Mapping[int, OwnerMemory], owner: Any, kind: str, name: str, variable: Any
) -> np.ndarray | None:
    kept = memory.get(id(owner))
    if kept is None or kept.owner is not owner or kept.kind != kind:
        return None
    values, handle = kept.slots.get(name), handle_of(variable)
    now = handle.look(handle.value())
    return values if values is not None and (values.shape, values.dtype) == (now.shape, now.dtype) else None

"""Slots of frozen weights, parked beside the model until those weights are trained again."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weightkit.training.optimizer.bare_optimizer import BareOptimizer

if TYPE_CHECKING:
    import numpy as np

    from weightkit.training.optimizer.slot_values import VariableSlots


@dataclass(frozen=True, slots=True)
class ParkedSlots:
    """State that belongs to an optimizer which has no variables for it now."""

    optimizer: weakref.ref[Any]
    # Each entry holds its variable, so no other one can get the same `id`.
    slots: dict[int, VariableSlots] = field(default_factory=dict)
    """Slots of frozen weights, by ``id`` of the weight's variable."""
    state: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    """State of inner optimizers that train nothing now, by ``id`` of the optimizer and name."""
    is_split: bool = False
    """Whether weightkit made this MultiOptimizer from a single optimizer, for weights with their own step count."""


# Weak keys, so that parked slots go when their model goes.
_PARKED: weakref.WeakKeyDictionary[Any, ParkedSlots] = weakref.WeakKeyDictionary()


def parked_of(model: Any) -> ParkedSlots | None:
    """What is parked beside a model; None after the user calls ``model.compile``, which makes another optimizer."""
    parked = _PARKED.get(_place(model))
    return None if parked is None or parked.optimizer() is not model.optimizer else parked


def park(model: Any, parked: ParkedSlots | None) -> None:
    """Replace what is parked beside a model; None removes it."""
    if parked is None:
        _PARKED.pop(_place(model), None)
    else:
        _PARKED[_place(model)] = parked


def parked_slots_of(model: Any) -> dict[int, VariableSlots]:
    """The parked slots of a model's frozen weights, by ``id`` of the variable.

    Files that Keras saves do not have them; `save_optimizer_state` does.
    """
    parked = parked_of(model)
    return {} if parked is None else parked.slots


def add_parked_slots(model: Any, slots: dict[int, VariableSlots]) -> None:
    """Park more slots beside a model, by ``id`` of the weight's variable."""
    earlier = parked_of(model) or ParkedSlots(weakref.ref(model.optimizer))
    park(model, ParkedSlots(earlier.optimizer, earlier.slots | slots, earlier.state, earlier.is_split))


def _place(model: Any) -> Any:
    """What slots are parked beside: a model, or an optimizer that has none."""
    return model.optimizer if isinstance(model, BareOptimizer) else model

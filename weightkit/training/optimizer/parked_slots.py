"""What an optimizer remembers of weights that it does not train now, kept beside the model that they are of."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from weightkit.training.optimizer.memory import OwnerMemory


@dataclass(frozen=True, slots=True)
class Aside:
    """What belongs to an optimizer and has no place in it now."""

    optimizer: weakref.ref[Any]
    slots: dict[int, OwnerMemory] = field(default_factory=dict)
    """Of frozen weights, by ``id`` of the variable."""
    state: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    """Of optimizers within it that train nothing now, by ``id`` of the optimizer and name."""
    parted: bool = False
    """Whether it is a MultiOptimizer that was made around a single one, for weights that came late."""


_ASIDE: weakref.WeakKeyDictionary[Any, Aside] = weakref.WeakKeyDictionary()


def aside_of(model: Any) -> Aside | None:
    """What is kept beside a model; None after a compile of Keras' own."""
    kept = _ASIDE.get(model)
    return None if kept is None or kept.optimizer() is not model.optimizer else kept


def keep_aside(model: Any, aside: Aside | None) -> None:
    """Keep this beside a model, and nothing else."""
    if aside is None:
        _ASIDE.pop(model, None)
    else:
        _ASIDE[model] = aside


def slots_set_aside(model: Any) -> dict[int, OwnerMemory]:
    """The slots of frozen weights that wait for them, by ``id`` of the variable; empty after a compile of Keras' own.

    They are in no file that Keras saves.
    """
    kept = aside_of(model)
    return {} if kept is None else kept.slots


def set_slots_aside(model: Any, slots: dict[int, OwnerMemory]) -> None:
    """Have the slots of frozen weights wait for them, by ``id`` of the variable, beside those that wait already."""
    earlier = aside_of(model) or Aside(weakref.ref(model.optimizer))
    keep_aside(model, Aside(earlier.optimizer, earlier.slots | slots, earlier.state, earlier.parted))

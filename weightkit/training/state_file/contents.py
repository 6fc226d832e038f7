"""The state of a model's optimizer and seed generators, with the address of each part in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.access import Kind, Source, WeightRef
from weightkit.training.optimizer.bare_optimizer import view_of
from weightkit.training.optimizer.parked_slots import parked_slots_of
from weightkit.training.optimizer.slots import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.training.optimizer.slot_values import VariableSlots

SEED = "state"
"""The name of a seed generator's state among the slots of its address."""
SEED_KEPT_BY = "SeedGenerator"


class Addresses(list[WeightRef]):
    """Addresses, and whether they are in the order of the layers, which matching uses."""

    def __init__(self, refs: Any, *, ordered: bool) -> None:
        super().__init__(refs)
        self.ordered = ordered


@dataclass(frozen=True, slots=True, eq=False)
class WeightSlots:
    """The slots of one weight of a model."""

    ref: WeightRef
    variable: Any
    slots: dict[str, Any]
    """The optimizer's variables, by the name of the slot."""
    kept_by: dict[str, str]
    """By the name of the slot, the class of the optimizer that has it."""

    @property
    def is_seed(self) -> bool:
        """Whether it is a seed generator, whose one slot is its state."""
        return SEED_KEPT_BY in self.kept_by.values()


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerContents:
    """The state of an optimizer and of seed generators; made by `contents_of`."""

    label: str
    ordered: bool
    weights: tuple[WeightSlots, ...]
    """Every weight and every seed generator of the model; frozen weights have no slots."""
    state: dict[str, Any]
    """Variables that belong to no weight, by ``iteration`` or ``optimizers/0/learning_rate``."""
    parked: dict[int, VariableSlots]
    """Parked slots of frozen weights, by ``id`` of the weight's variable."""

    @property
    def addresses(self) -> Addresses:
        """The addresses of all weights and seed generators."""
        return Addresses((one.ref for one in self.weights), ordered=self.ordered)


def contents_of(model: Any) -> OptimizerContents:
    """The state of the optimizer and seed generators of a compiled model, or of a `BareOptimizer`.

    Raises:
        RequestError: It is not a model of Keras 3, is not built, or its optimizer is not one of Keras 3.
    """
    view = view_of(model)
    slots: dict[int, dict[str, Any]] = {}
    kept_by: dict[int, dict[str, str]] = {}
    state = {}
    for part in parts_of(model.optimizer):
        for name, variable in part.state.items():
            state[f"{part.path}/{name}" if part.path else name] = variable
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is not None:
                    slots.setdefault(id(owner), {})[name] = variable
                    kept_by.setdefault(id(owner), {})[name] = type(part.optimizer).__name__
    weights = [
        WeightSlots(ref, variable, slots.get(id(variable), {}), kept_by.get(id(variable), {}))
        for ref, variable in view.parameters.items()
    ]
    return OptimizerContents(view.label, view.ordered, (*weights, *_seeds(view.layers)), state, parked_slots_of(model))


def _seeds(layers: tuple[Any, ...]) -> Iterator[WeightSlots]:
    """Seed generators, in the order of their layers; files of Keras 3.15 do not have them."""
    count = 0
    for layer in layers:
        for turn, generator in enumerate(layer._seed_generators):  # noqa: SLF001  # Keras 3.15 has no public accessor
            variable = generator.state
            ref = WeightRef(
                structure=f"seeds/{count}",
                layer=layer.name,
                index=turn,
                name=f"seed_{turn}",
                shape=tuple(variable.shape),
                dtype=np.dtype(str(keras.backend.standardize_dtype(variable.dtype))),
                kind=Kind.STATE,
                layer_class=type(layer).__name__,
                trainable=False,
                known_from=Source.MODEL,
            )
            yield WeightSlots(ref, variable, {SEED: variable}, {SEED: SEED_KEPT_BY})
            count += 1


def configuration_of(optimizer: Any) -> str:
    """An optimizer's serialized configuration as JSON; empty where Keras cannot serialize it, as with a lambda."""
    try:
        return json.dumps(keras.saving.serialize_keras_object(optimizer), sort_keys=True)
    except (TypeError, ValueError):
        return ""

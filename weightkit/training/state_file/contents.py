"""All that an optimizer and the model's seeds remember, each thing with the address under which a file keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.access import Kind, Source, WeightRef
from weightkit.training.model.weights import look_at
from weightkit.training.optimizer.parked_slots import slots_set_aside
from weightkit.training.optimizer.slots import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.training.optimizer.memory import OwnerMemory

SEED = "state"
"""What the state of a seed generator is called among the slots of its address."""
SEED_KEPT_BY = "SeedGenerator"


class Addresses(list[WeightRef]):
    """Addresses, and whether they come in the order of the layers, as matching asks for."""

    def __init__(self, refs: Any, *, ordered: bool) -> None:
        super().__init__(refs)
        self.ordered = ordered


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is remembered for one weight of the model, live."""

    ref: WeightRef
    variable: Any
    slots: dict[str, Any]
    """Variables, by the name of the slot."""
    kept_by: dict[str, str]
    """The class of the optimizer that keeps each."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerMemory:
    """All of it; made by `memory_of`."""

    label: str
    ordered: bool
    weights: tuple[Memory, ...]
    """Every weight and every seed generator of the model, most with no slots where they are frozen."""
    state: dict[str, Any]
    """Variables that belong to no weight, by ``iteration`` or ``optimizers/0/learning_rate``."""
    aside: dict[int, OwnerMemory]
    """Slots of frozen weights, set aside by `recompile`, by ``id`` of the weight."""

    @property
    def addresses(self) -> Addresses:
        """Of all weights."""
        return Addresses((one.ref for one in self.weights), ordered=self.ordered)


def memory_of(model: Any) -> OptimizerMemory:
    """All that a compiled model's optimizer and its seeds remember.

    Raises:
        RequestError: It is no model of Keras 3, has not been built, or its optimizer is none of Keras'.
    """
    seen = look_at(model)
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
        Memory(ref, variable, slots.get(id(variable), {}), kept_by.get(id(variable), {}))
        for ref, variable in seen.parameters.items()
    ]
    return OptimizerMemory(seen.label, seen.ordered, (*weights, *_seeds(seen.layers)), state, slots_set_aside(model))


def _seeds(layers: tuple[Any, ...]) -> Iterator[Memory]:
    """Seed generators, in the order of their layers: Keras saves none of them."""
    count = 0
    for layer in layers:
        for turn, generator in enumerate(layer._seed_generators):  # noqa: SLF001  # Keras has no other way to ask
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
            yield Memory(ref, variable, {SEED: variable}, {SEED: SEED_KEPT_BY})
            count += 1


def configuration_of(optimizer: Any) -> str:
    """What Keras serializes of an optimizer, as JSON; empty where it cannot, as of a function of the user's own."""
    try:
        return json.dumps(keras.saving.serialize_keras_object(optimizer), sort_keys=True)
    except (TypeError, ValueError):
        return ""

"""Flags of layers and variables: recorded as they are, and set exactly as planned.

Setting ``layer.trainable`` reaches everything below it: it would unfreeze the base kernel of a LoRA layer, and single
weights that were frozen by themselves. On TensorFlow, setting it to the value it has does nothing at all (Keras 3.15).
So every flag is set by itself, those of variables last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Flags:
    """The flags of some layers and variables."""

    layers: tuple[tuple[Any, bool], ...]
    variables: tuple[tuple[Any, bool], ...]

    def set(self) -> None:
        """Give every layer and every variable its flag."""
        for layer, flag in self.layers:
            if layer.trainable != flag:
                layer._trainable = flag  # noqa: SLF001  # the setter would reach what is below
            if layer.trainable != flag:  # a class with a property of its own
                layer.trainable = flag
        for variable, flag in self.variables:
            variable.trainable = flag


def flags_of(layers: tuple[Any, ...]) -> Flags:
    """The present flags of layers, and of the variables that they made to be trained."""
    variables = {id(v): v for layer in layers for v in layer._trainable_variables}  # noqa: SLF001
    return Flags(
        tuple((layer, bool(layer.trainable)) for layer in layers),
        tuple((variable, bool(variable.trainable)) for variable in variables.values()),
    )


def made_in(layer: Any) -> list[Any]:
    """The variables that a layer and all below it made to be trained."""
    return [variable for below in layer._flatten_layers() for variable in below._trainable_variables]  # noqa: SLF001


def layer_flags(layers: tuple[Any, ...], trained: set[int], statistics: dict[int, bool]) -> list[tuple[Any, bool]]:
    """The flags of layers that follow from which variables are trained.

    A layer's flag is on where anything in it is trained, and off where all in it is frozen; that of the model itself
    is on where anything is trained, and stays otherwise. Layers without weights stay as they are.

    Args:
        layers: All layers, the model itself first.
        trained: ``id`` of the variables that are to be trained.
        statistics: By ``id`` of a BatchNormalization, whether it is to go on measuring its data.
    """
    found = []
    for place, layer in enumerate(layers):
        made = made_in(layer)
        if id(layer) in statistics:
            found.append((layer, statistics[id(layer)]))
        elif any(id(variable) in trained for variable in made):
            found.append((layer, True))
        elif made and place:
            found.append((layer, False))
    return found

"""The ``trainable`` flags of layers and variables: read, and set one by one.

In Keras 3.15, setting ``layer.trainable`` sets every flag below it: it unfreezes the base kernel of a LoRA layer, and
weights that were frozen one by one. On TensorFlow, setting it to its present value does nothing. So every flag is set
by itself, and those of variables last.
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
        """Set the flag of every layer and variable."""
        for layer, flag in self.layers:
            if layer.trainable != flag:
                layer._trainable = flag  # noqa: SLF001  # the setter would set everything below it
            if layer.trainable != flag:  # a class that overrides the property
                layer.trainable = flag
        for variable, flag in self.variables:
            variable.trainable = flag


def flags_of(layers: tuple[Any, ...]) -> Flags:
    """The present flags of layers, and of their variables that can be trained."""
    variables = {id(v): v for layer in layers for v in layer._trainable_variables}  # noqa: SLF001
    return Flags(
        tuple((layer, bool(layer.trainable)) for layer in layers),
        tuple((variable, bool(variable.trainable)) for variable in variables.values()),
    )


def trainable_variables_in(layer: Any) -> list[Any]:
    """The variables of a layer and of all layers in it that can be trained."""
    return [variable for below in layer._flatten_layers() for variable in below._trainable_variables]  # noqa: SLF001


def layer_flags(layers: tuple[Any, ...], trained: set[int], statistics: dict[int, bool]) -> list[tuple[Any, bool]]:
    """The flags of layers that follow from which variables are trained.

    The flag of a layer is on where anything in it is trained, and off where everything in it is frozen. The flag of
    the model itself is on where anything is trained, and stays as it is otherwise. Layers without weights keep
    their flags.

    Args:
        layers: All layers, the model itself first.
        trained: ``id`` of the variables that will be trained.
        statistics: By ``id`` of a BatchNormalization, whether training updates its statistics.
    """
    found = []
    for place, layer in enumerate(layers):
        made = trainable_variables_in(layer)
        if id(layer) in statistics:
            found.append((layer, statistics[id(layer)]))
        elif any(id(variable) in trained for variable in made):
            found.append((layer, True))
        # Place 0 is the model itself, whose flag stays on.
        elif made and place:
            found.append((layer, False))
    return found

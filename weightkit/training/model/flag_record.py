"""What a model's flags and layers were at one moment, to tell cheaply whether they are still the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class FlagRecord:
    """The layers of a model, their variables, and the flags of both.

    It holds the layers and variables below the model, so that no other object gets the ``id`` of one, and not the
    model itself.
    """

    marks: tuple[Any, ...]
    kept: tuple[Any, ...]

    @classmethod
    def of(cls, model: Any) -> FlagRecord:
        """The record of this moment."""
        layers = model._flatten_layers()  # noqa: SLF001  # `layers` leaves out layers in a user's own attributes
        variables = [variable for layer in layers for kind in _variables(layer) for variable in kind]
        return cls(_marks(model), (*layers[1:], *variables))

    def is_current(self, model: Any) -> bool:
        """Whether all is as it was."""
        return _marks(model) == self.marks


def _marks(model: Any) -> tuple[Any, ...]:
    return tuple(_mark(layer) for layer in model._flatten_layers())  # noqa: SLF001


def _mark(layer: Any) -> tuple[Any, ...]:
    trained, others = _variables(layer)
    flags = tuple((id(variable), variable.trainable) for variable in trained)
    return id(layer), layer.name, layer.trainable, flags, tuple(map(id, others))


def _variables(layer: Any) -> tuple[list[Any], list[Any]]:
    """The variables that a layer made itself: those that can be trained, and the others."""
    return layer._trainable_variables, layer._non_trainable_variables  # noqa: SLF001

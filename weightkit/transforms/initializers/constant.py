"""The same number everywhere, or given numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from weightkit.errors import RequestError
from weightkit.transforms.initializers.initializer import AnyShape
from weightkit.transforms.initializers.numbers import is_finite, shortened

if TYPE_CHECKING:
    from weightkit.transforms.initializers.draws import Draws
    from weightkit.transforms.initializers.initializer import Shape

Value = float | tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """``value``: a number, or nested sequences of numbers that broadcast to the weight's shape."""

    value: Value = 0.0
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _numbers(self.value))

    def objection(self, shape: Shape) -> str:
        """Given numbers must broadcast to the shape."""
        given = np.shape(self.value)
        try:
            fits = np.broadcast_shapes(given, shape) == shape
        except ValueError:
            fits = False
        return "" if fits else f"the value of Constant has shape {given}, and the weight has shape {shape}"

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:  # noqa: ARG002
        """The numbers; nothing is drawn."""
        if isinstance(self.value, float):
            return np.full(last - first, self.value)
        # `flat` copies the span alone, not the whole weight.
        return np.broadcast_to(np.asarray(self.value, np.float64), shape).flat[first:last]


@dataclass(frozen=True, slots=True)
class Zeros(AnyShape):
    """0 everywhere."""

    elementwise: ClassVar[bool] = True

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:  # noqa: ARG002
        """Zeros."""
        return np.zeros(last - first)


@dataclass(frozen=True, slots=True)
class Ones(AnyShape):
    """1 everywhere."""

    elementwise: ClassVar[bool] = True

    def __call__(self, shape: Shape, draws: Draws, first: int, last: int) -> np.ndarray:  # noqa: ARG002
        """Ones."""
        return np.ones(last - first)


def _numbers(value: object) -> Value:
    """The value as floats in tuples; also reads an array as Keras 3 writes it into a configuration."""
    if isinstance(value, dict) and value.get("class_name") == "__numpy__" and isinstance(value.get("config"), dict):
        value = value["config"].get("value")
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        found = tuple(_numbers(one) for one in value)
        # Ragged lists are not arrays, and an empty one has no numbers.
        if len({np.shape(one) for one in found}) == 1:
            return found
    elif isinstance(value, int | float | np.number) and is_finite(value):
        return float(value)
    raise RequestError(
        f"value of Constant must be finite numbers, got {shortened(value)}", hint="give one, such as Constant(0.1)"
    )

"""A mask: entries of a weight that are and stay zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from weightkit.layers.parametrizations.parametrization import Added, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True, eq=False)
class Mask(Parametrization):
    """The weight times a fixed mask of ones and zeros, as in MADE (Germain 2015, arXiv 1502.03509, equation 5).

    What is masked is zero in the weight and in its gradient, whatever the optimizer does. The mask is a weight of
    the layer's state, ``kernel_mask``. The configuration has it too, as ones and zeros, so that a model that is made
    again from it begins with the same; what a file holds comes after.

    Args:
        mask: An array of the weight's shape, or one that broadcasts to it: where it is not zero, the weight stays.
            None takes the zeros of what it is applied to, as pruning left them; so it comes first of several.
    """

    mask: Any = None

    is_fixed = True

    def __post_init__(self) -> None:
        """Check the mask."""
        is_numbers = self.mask is None or np.asarray(self.mask).dtype.kind in "biuf"
        self._require("mask", is_numbers, "give an array of numbers or booleans, or None")

    def objection(self, weight: Weight) -> str:
        """A mask of another shape."""
        shape = tuple(weight.variable.shape)
        if self.mask is None:
            return ""
        given = np.shape(self.mask)
        try:
            fits = np.broadcast_shapes(given, shape) == shape
        except ValueError:
            fits = False
        return "" if fits else f"Mask: mask= has shape {given}, and the weight {weight.name} has {shape}"

    def build(self, weight: Weight) -> dict[str, Added]:
        """The mask, as ones and zeros of the weight's type."""

        def initial(shape: Any, dtype: Any = None) -> Any:
            given = weight.before() if self.mask is None else ops.convert_to_tensor(np.asarray(self.mask))
            return ops.cast(ops.broadcast_to(ops.not_equal(given, 0), shape), dtype)

        shape = tuple(weight.variable.shape)
        return {"mask": weight.add(f"{weight.label}_mask", shape, initial, trainable=False)}

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """Element by element."""
        return base * added["mask"].variable.value

    def get_config(self) -> dict[str, Any]:
        """The mask, as ones and zeros."""
        return {"mask": None if self.mask is None else (np.asarray(self.mask) != 0).astype(int).tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Mask:
        """Made again."""
        mask = config.get("mask")
        return cls(None if mask is None else np.asarray(mask))

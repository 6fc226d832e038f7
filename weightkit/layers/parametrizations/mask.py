"""A mask: elements of a weight that stay zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import AddedVariable, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
# `==` of two arrays has no single truth value.
@dataclass(frozen=True, eq=False)
class Mask(Parametrization):
    """The weight times a fixed mask of ones and zeros, as in MADE (Germain 2015, arXiv 1502.03509, equation 5).

    Masked elements are zero in the weight and in its gradient, whatever the optimizer does. The mask is a weight that
    is not trained, ``kernel_mask``. The configuration has it too, as ones and zeros, so that a model that is made from
    it has the same mask; loading a file then sets the mask of the file.

    Args:
        mask: An array of the weight's shape, or one that broadcasts to it; elements where it is zero are masked. By
            default the zeros of the present weight are masked, as pruning leaves them; apply it before others then.
    """

    mask: Any = None

    is_fixed = True

    def __post_init__(self) -> None:
        """Check the mask."""
        if self.mask is not None and np.asarray(self.mask).dtype.kind not in "biuf":
            raise RequestError(f"Mask: mask must be an array of numbers or booleans, or None, got {self.mask!r}")

    def objection(self, weight: Weight) -> str:
        """Why the mask does not fit the shape of the weight."""
        shape = tuple(weight.variable.shape)
        if self.mask is None:
            return ""
        given = np.shape(self.mask)
        try:
            fits = np.broadcast_shapes(given, shape) == shape
        except ValueError:
            fits = False
        return "" if fits else f"Mask: mask must broadcast to the shape {shape} of {weight.name}, got shape {given}"

    def build(self, weight: Weight) -> dict[str, AddedVariable]:
        """Add the mask, as ones and zeros of the weight's dtype."""

        def initial(shape: Any, dtype: Any = None) -> Any:
            given = weight.before() if self.mask is None else ops.convert_to_tensor(np.asarray(self.mask))
            return ops.cast(ops.broadcast_to(ops.not_equal(given, 0), shape), dtype)

        shape = tuple(weight.variable.shape)
        return {"mask": weight.add(f"{weight.label}_mask", shape, initial, trainable=False)}

    def compute(self, base: Any, added: Mapping[str, AddedVariable], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """The weight times the mask, element by element."""
        return base * added["mask"].variable.value

    def get_config(self) -> dict[str, Any]:
        """The mask, as ones and zeros."""
        return {"mask": None if self.mask is None else (np.asarray(self.mask) != 0).astype(int).tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Mask:
        """Make it from its settings."""
        mask = config.get("mask")
        return cls(None if mask is None else np.asarray(mask))

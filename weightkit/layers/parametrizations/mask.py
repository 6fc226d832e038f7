"""A mask: entries of a weight that are and stay zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.parametrization import Added, Parametrization, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping


@keras.saving.register_keras_serializable(package="weightkit")
@dataclass(frozen=True, eq=False)
class Mask(Parametrization):
    """The weight times a fixed mask of ones and zeros, as in MADE (Germain 2015, arXiv 1502.03509, equation 5).

    What is masked is zero in the weight and in its gradient, whatever the optimizer does. The mask is a weight of
    the layer's state, ``kernel_mask``, saved with the model and not in its configuration; a model that is loaded
    gets it from its file.

    Args:
        mask: An array of the weight's shape, or one that broadcasts to it: where it is not zero, the weight stays.
            None takes the weight's own zeros, as pruning left them.
    """

    mask: Any = None

    is_fixed = True

    def __post_init__(self) -> None:
        """Check the mask."""
        if self.mask is not None and np.asarray(self.mask).dtype.kind not in "biuf":
            raise RequestError(f"Mask: mask={self.mask!r}", mend="give an array of numbers or booleans, or None")

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
            given = weight.variable.value if self.mask is None else ops.convert_to_tensor(np.asarray(self.mask))
            return ops.cast(ops.broadcast_to(ops.not_equal(given, 0), shape), dtype)

        shape = tuple(weight.variable.shape)
        return {"mask": weight.add(f"{weight.label}_mask", shape, initial, trainable=False)}

    def compute(self, base: Any, added: Mapping[str, Added], weight: Weight, *, training: bool) -> Any:  # noqa: ARG002
        """Element by element."""
        return base * added["mask"].variable.value

    def get_config(self) -> dict[str, Any]:
        """Empty: the mask lies among the weights."""
        return {}

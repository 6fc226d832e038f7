"""Maxout: each output is the maximum of several linear functions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import boolean, positive_integer
from weightkit.layers.making.precision import matmul
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape


@keras.saving.register_keras_serializable(package="weightkit")
class Maxout(keras.layers.Layer):  # type: ignore[misc]
    """``h_i(x) = max_j z_ij`` with ``z_ij = x W_ij + b_ij``: the maximum of ``pieces`` linear functions.

    Goodfellow et al. 2013, "Maxout Networks", arXiv 1302.4389, section 3. It is a learned activation function: convex
    and piecewise linear, such as ReLU or the absolute value.

    Args:
        units: The number of outputs, m.
        pieces: The number of linear functions for each output, k; with 1 this is a dense layer.
        use_bias: Whether there is a bias.
        kernel_initializer: The initializer of the kernel. ``bias`` has the same.
        kernel_regularizer: Its regularizer. ``bias`` has the same.
        kernel_constraint: Its constraint. ``bias`` has the same.
        bias_initializer: See above.
        bias_regularizer: See above.
        bias_constraint: See above.

    The kernel is ``(features, units * pieces)``, with the pieces of one output side by side; initializers see
    the fans of a dense layer. Input: ``(batch, …, features)``. Output: ``(batch, …, units)``. Masks are passed on.

    Raises:
        RequestError: An argument is invalid, or the number of features is unknown.

    Example:
        >>> import numpy as np
        >>> layer = Maxout(1, pieces=2)
        >>> layer.build((None, 1))
        >>> layer.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])  # the absolute value
        >>> ops.convert_to_numpy(layer(np.array([[3.0], [-2.0]]))).tolist()
        [[3.0], [2.0]]
    """

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = positive_integer("units", units)
        self.pieces = positive_integer("pieces", pieces)
        self.use_bias = boolean("use_bias", use_bias)
        set_weight_arguments(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        set_weight_arguments(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        required_rank(self, input_shape, 2)
        total = self.units * self.pieces
        self.kernel = add_weight(self, "kernel", (*known_sizes(self, input_shape, [-1]), total))
        self.bias = add_weight(self, "bias", (total,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        """Return the maximum of the pieces of each output."""
        pieces = matmul(inputs, self.kernel)
        pieces = pieces if self.bias is None else pieces + ops.cast(self.bias, pieces.dtype)
        return functools.reduce(_larger, (pieces[..., first :: self.pieces] for first in range(self.pieces)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """``(*input_shape[:-1], units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        settings = {"units": self.units, "pieces": self.pieces, "use_bias": self.use_bias}
        return {**super().get_config(), **settings, **weight_config(self, "kernel"), **weight_config(self, "bias")}


def _larger(first: Any, second: Any) -> Any:
    """The larger of each pair, NaN where one is NaN.

    In Keras 3.15, ``ops.max`` and ``ops.amax`` refuse an empty batch on some backends, and ``ops.maximum`` on PyTorch
    returns float32 for float64.
    """
    return ops.where(ops.logical_or(first >= second, ops.isnan(first)), first, second)

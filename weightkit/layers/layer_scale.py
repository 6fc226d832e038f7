"""LayerScale: a learned factor for each channel of a residual branch, which begins small."""

from __future__ import annotations

from typing import Any

import keras

from weightkit.layers.making.arguments import axes_of
from weightkit.layers.making.shapes import Shape, along, known_sizes
from weightkit.layers.parametrized.added_weights import add, set_weight_arguments, weight_config


@keras.saving.register_keras_serializable(package="weightkit")
class LayerScale(keras.layers.Layer):  # type: ignore[misc]
    """Multiply each channel by a learned factor: ``y = diag(scale) x``.

    Put it at the end of a residual branch, ``x + LayerScale()(branch(x))``: with factors near zero a deep network
    begins as the identity. Touvron et al. 2021, "Going deeper with Image Transformers", arXiv 2103.17239, section 2:
    ``x' = x + diag(lambda_1, …, lambda_d) SA(norm(x))``. There the factors begin as 0.1 in networks of up to 18
    blocks, as 1e-5 in those of 24, and as 1e-6 beyond.

    Args:
        axis: The axis, or axes, that have a factor for each of their places; the channels by default.
        scale_initializer: How the factors begin: a number, or an initializer.
        scale_regularizer: What their size costs.
        scale_constraint: What they are held to.

    Input and output: any shape of rank 2 and more, the same one. Masks go through.

    Raises:
        RequestError: ``axis`` is none of the input's, or its size is unknown.

    Example:
        >>> import numpy as np
        >>> layer = LayerScale(scale_initializer=0.5)
        >>> np.asarray(keras.ops.convert_to_numpy(layer(np.array([[2.0, 4.0]])))).tolist()
        [[1.0, 2.0]]
    """

    def __init__(
        self,
        axis: int | tuple[int, ...] = -1,
        scale_initializer: Any = 1e-5,
        scale_regularizer: Any = None,
        scale_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = axis if isinstance(axis, int) else tuple(axis)
        set_weight_arguments(self, "scale", scale_initializer, scale_regularizer, scale_constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make the factors."""
        self._axes = axes_of("axis", self.axis, len(input_shape))
        self.scale = add(self, "scale", known_sizes(self, input_shape, self._axes))

    def call(self, inputs: Any) -> Any:
        """``scale * inputs``, the factors spread over the other axes."""
        return inputs * along(self.scale, self._axes, len(inputs.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, **weight_config(self, "scale")}

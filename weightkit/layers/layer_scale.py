"""LayerScale: a learned factor for each channel of a residual branch, initialized near zero."""

from __future__ import annotations

from typing import Any

import keras

from weightkit.layers.making.shapes import Shape, along, input_axes, known_sizes
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config


@keras.saving.register_keras_serializable(package="weightkit")
class LayerScale(keras.layers.Layer):  # type: ignore[misc]
    """Multiply each channel by a learned factor: ``y = diag(scale) x``.

    Put it at the end of a residual branch, ``x + LayerScale()(branch(x))``: with factors near zero a deep network is
    first the identity. Touvron et al. 2021, "Going deeper with Image Transformers", arXiv 2103.17239, section 2:
    ``x' = x + diag(lambda_1, …, lambda_d) SA(norm(x))``. The paper initializes the factors to 0.1 for up to 18
    blocks, 1e-5 for 24, and 1e-6 for more.

    Args:
        axis: The axis or axes with a factor for each index; by default the channels.
        scale_initializer: The initializer of the factors, or a number for a constant.
        scale_regularizer: Its regularizer.
        scale_constraint: Its constraint.

    Input and output: any shape of rank 2 or more, the same for both. Masks are passed on.

    Raises:
        RequestError: ``axis`` is not an axis of the input, or its size is unknown.

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
        """Make the factors, with one axis for each of ``axis``."""
        self._axes = input_axes("axis", self.axis, len(input_shape))
        self.scale = add_weight(self, "scale", known_sizes(self, input_shape, self._axes))

    def call(self, inputs: Any) -> Any:
        """Return ``scale * inputs``."""
        return inputs * along(self.scale, self._axes, len(inputs.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "axis": self.axis, **weight_config(self, "scale")}

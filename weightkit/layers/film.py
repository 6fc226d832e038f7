"""FiLM: features that a condition scales and shifts channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import one_of
from weightkit.errors import RequestError
from weightkit.layers.making.precision import matmul
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_FORMATS = ("channels_last", "channels_first")


@keras.saving.register_keras_serializable(package="weightkit")
class FiLM(keras.layers.Layer):  # type: ignore[misc]
    """``y_c = (1 + dgamma_c) x_c + beta_c``, where ``(dgamma, beta) = z kernel + bias`` comes from a condition ``z``.

    Perez et al. 2017, "FiLM: Visual Reasoning with a General Conditioning Layer", arXiv 1709.07871, equations 1 and 2:
    ``FiLM(F_c | gamma_c, beta_c) = gamma_c F_c + beta_c``, with ``gamma`` and ``beta`` functions of the condition. Here
    they are one linear function; put layers before the condition for more. As in the paper, the difference of gamma
    from one is predicted, so that small weights do not turn features off.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default as Keras is configured.
        kernel_initializer: The initializer of the kernel. ``bias`` has the same.
        kernel_regularizer: Its regularizer. ``bias`` has the same.
        kernel_constraint: Its constraint. ``bias`` has the same.
        bias_initializer: See above.
        bias_regularizer: See above.
        bias_constraint: See above.

    Input: ``[features, condition]``: ``(batch, …, channels)``, or channels first, and ``(batch, n)``. Output: the
    features' shape. The mask of the features is passed on. The kernel ``(n, 2 * channels)`` has first gamma,
    then beta.

    Raises:
        RequestError: The input is not such a pair, or a size is unknown.

    Example:
        >>> import numpy as np
        >>> layer = FiLM(kernel_initializer="ones")
        >>> ops.convert_to_numpy(layer([np.array([[5.0]]), np.array([[2.0]])])).tolist()  # (1 + 2) * 5 + 2
        [[17.0]]
    """

    def __init__(
        self,
        data_format: str | None = None,
        *,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.data_format = one_of("data_format", data_format or keras.config.image_data_format(), _FORMATS)
        set_weight_arguments(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        set_weight_arguments(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias of the linear function."""
        features, condition = pair_of_shapes(self, input_shape, "condition")
        required_rank(self, features, 2)
        required_rank(self, condition, 2, 2)
        self._axis = len(features) - 1 if self.data_format == "channels_last" else 1
        (channels,) = known_sizes(self, features, [self._axis])
        self.kernel = add_weight(self, "kernel", (*known_sizes(self, condition, [-1]), 2 * channels))
        self.bias = add_weight(self, "bias", (2 * channels,))

    def call(self, inputs: Any) -> Any:
        """Return the features, scaled and shifted."""
        features, condition = inputs
        both = matmul(condition, self.kernel) + self.bias
        difference, shift = (self._along(one, len(features.shape)) for one in ops.split(both, 2, axis=-1))
        return (1 + difference) * features + shift

    def _along(self, values: Any, rank: int) -> Any:
        """Reshape ``(batch, channels)`` so that it broadcasts to the features."""
        middle = [1] * (rank - 2)
        middle.insert(self._axis - 1, values.shape[-1])
        # -1 stands for the batch, whose size may be unknown.
        return ops.reshape(values, (-1, *middle))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:  # noqa: ARG002
        """The mask of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the features."""
        return pair_of_shapes(self, input_shape, "condition")[0]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        weights = weight_config(self, "kernel") | weight_config(self, "bias")
        return {**super().get_config(), "data_format": self.data_format, **weights}


def pair_of_shapes(layer: Any, input_shape: Any, second: str) -> tuple[Shape, Shape]:
    """The two shapes of a layer that takes two inputs.

    Raises:
        RequestError: The layer has one input, or more than two.
    """
    if len(input_shape) != 2 or not all(isinstance(one, (tuple, list)) for one in input_shape):  # noqa: PLR2004
        raise RequestError(f"{layer.name}: the input must be two inputs, [features, {second}], got shape {input_shape}")
    return tuple(input_shape[0]), tuple(input_shape[1])

"""GlobalResponseNorm: scales each channel by its response over the whole image, relative to the other channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import number, one_of
from weightkit.layers.making.precision import at_least_float32, lengths
from weightkit.layers.making.shapes import along, known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_FORMATS = ("channels_last", "channels_first")


@keras.saving.register_keras_serializable(package="weightkit")
class GlobalResponseNorm(keras.layers.Layer):  # type: ignore[misc]
    """``y = gamma * (x * n) + beta + x``, where ``n_i = g_i / mean(g)`` and ``g_i`` is the length of channel i.

    The length of a channel is the square root of its sum of squares over the image. Woo et al. 2023, "ConvNeXt V2",
    arXiv 2301.00808, section 3.2 and Algorithm 1. Gamma and beta are initialized to zero, so that the layer is first
    the identity.

    Args:
        epsilon: A small number added to the mean of the lengths.
        data_format: ``"channels_last"`` or ``"channels_first"``; by default as Keras is configured.
        gamma_initializer: The initializer of gamma. ``beta`` has the same.
        gamma_regularizer: Its regularizer. ``beta`` has the same.
        gamma_constraint: Its constraint. ``beta`` has the same.
        beta_initializer: See above.
        beta_regularizer: See above.
        beta_constraint: See above.

    Input and output: ``(batch, places…, channels)`` of rank 3 to 5, or channels first. A mask of the places is passed
    on; masked places do not count in the lengths.

    Raises:
        RequestError: An argument is invalid, the input has another rank, or the number of channels is unknown.

    Example:
        >>> import numpy as np
        >>> layer = GlobalResponseNorm(gamma_initializer="ones")
        >>> ops.convert_to_numpy(layer(np.array([[[3.0, 1.0], [4.0, 0.0]]]))).round().astype(int).tolist()
        [[[8, 1], [11, 0]]]
    """

    def __init__(
        self,
        epsilon: float = 1e-6,
        data_format: str | None = None,
        *,
        gamma_initializer: Any = "zeros",
        gamma_regularizer: Any = None,
        gamma_constraint: Any = None,
        beta_initializer: Any = "zeros",
        beta_regularizer: Any = None,
        beta_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.epsilon = number("epsilon", epsilon, 0, exclusive=True)
        self.data_format = one_of("data_format", data_format or keras.config.image_data_format(), _FORMATS)
        set_weight_arguments(self, "gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        set_weight_arguments(self, "beta", beta_initializer, beta_regularizer, beta_constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make gamma and beta ``(channels,)``."""
        required_rank(self, input_shape, 3, 5)
        rank = len(input_shape)
        self._channels = rank - 1 if self.data_format == "channels_last" else 1
        self._places = tuple(axis for axis in range(1, rank) if axis != self._channels)
        size = known_sizes(self, input_shape, [self._channels])
        self.gamma, self.beta = add_weight(self, "gamma", size), add_weight(self, "beta", size)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return ``gamma * (x * n) + beta + x``."""
        rank, axes = len(inputs.shape), [self._channels]
        values = at_least_float32(inputs)
        length = lengths(values if mask is None else values * self._spread(mask, values), self._places)
        # `ops.mean` of Keras 3.15 on JAX computes float64 in float32.
        mean = ops.sum(length, axis=self._channels, keepdims=True) / inputs.shape[self._channels]
        relative = length / (mean + self.epsilon)
        gamma, beta = (ops.cast(along(one, axes, rank), values.dtype) for one in (self.gamma, self.beta))
        return ops.cast(gamma * (values * relative) + beta + values, inputs.dtype)

    def _spread(self, mask: Any, values: Any) -> Any:
        """Reshape a mask ``(batch, places…)`` so that it multiplies the values; it may have fewer axes."""
        shape = list(ops.shape(mask))
        missing = len(values.shape) - 1 - len(shape)
        shape = [*shape, *[1] * missing]
        shape.insert(self._channels, 1)
        return ops.reshape(ops.cast(mask, values.dtype), shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        settings = {"epsilon": self.epsilon, "data_format": self.data_format}
        return {**super().get_config(), **settings, **weight_config(self, "gamma"), **weight_config(self, "beta")}

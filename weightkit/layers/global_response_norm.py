"""GlobalResponseNorm: channels compete by how strongly each responds over the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.making.arguments import number, one_of
from weightkit.layers.making.precision import at_least_float32, lengths
from weightkit.layers.making.shapes import along, known_sizes, required_rank
from weightkit.layers.parametrized.added_weights import add, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_FORMATS = ("channels_last", "channels_first")


@keras.saving.register_keras_serializable(package="weightkit")
class GlobalResponseNorm(keras.layers.Layer):  # type: ignore[misc]
    """``y = gamma * (x * n) + beta + x``, where ``n_i = g_i / mean(g)`` and ``g_i`` is the length of channel i.

    The length is that of all places of the channel: the root of the sum of squares over the image. Woo et al. 2023,
    "ConvNeXt V2", arXiv 2301.00808, section 3.2 and Algorithm 1. Gain and
    offset begin as zero, so that the layer begins as the identity.

    Args:
        epsilon: What is added to the mean of the lengths.
        data_format: ``"channels_last"`` or ``"channels_first"``; as Keras is configured, where None.
        gamma_initializer: How the gain begins. For ``beta`` the same.
        gamma_regularizer: What its size costs. For ``beta`` the same.
        gamma_constraint: What it is held to. For ``beta`` the same.
        beta_initializer: See there.
        beta_regularizer: See there.
        beta_constraint: See there.

    Input: ``(batch, places…, channels)`` of rank 3 to 5, or channels first; the output is the same. A mask of the
    places goes through, and what it masks counts in no length.

    Raises:
        RequestError: An argument is wrong, the input's rank is another, or the number of channels is unknown.

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
        self.epsilon = number("epsilon", epsilon, 0, above=True)
        self.data_format = one_of("data_format", data_format or keras.config.image_data_format(), _FORMATS)
        set_weight_arguments(self, "gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        set_weight_arguments(self, "beta", beta_initializer, beta_regularizer, beta_constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make gain and offset, one for each channel."""
        required_rank(self, input_shape, 3, 5)
        rank = len(input_shape)
        self._channels = rank - 1 if self.data_format == "channels_last" else 1
        self._places = tuple(axis for axis in range(1, rank) if axis != self._channels)
        size = known_sizes(self, input_shape, [self._channels])
        self.gamma, self.beta = add(self, "gamma", size), add(self, "beta", size)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The input and what its channels' lengths make of it."""
        rank, axes = len(inputs.shape), [self._channels]
        values = at_least_float32(inputs)
        length = lengths(values if mask is None else values * self._spread(mask, values), self._places)
        # Not `ops.mean`: that of Keras 3.15 on JAX computes float64 in float32.
        mean = ops.sum(length, axis=self._channels, keepdims=True) / inputs.shape[self._channels]
        relative = length / (mean + self.epsilon)
        gamma, beta = (ops.cast(along(one, axes, rank), values.dtype) for one in (self.gamma, self.beta))
        return ops.cast(gamma * (values * relative) + beta + values, inputs.dtype)

    def _spread(self, mask: Any, values: Any) -> Any:
        """A mask ``(batch, places…)`` as factors of the values; it may leave out the last places."""
        shape = list(ops.shape(mask))
        missing = len(values.shape) - 1 - len(shape)
        shape = [*shape, *[1] * missing]
        shape.insert(self._channels, 1)
        return ops.reshape(ops.cast(mask, values.dtype), shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"epsilon": self.epsilon, "data_format": self.data_format}
        return {**super().get_config(), **own, **weight_config(self, "gamma"), **weight_config(self, "beta")}

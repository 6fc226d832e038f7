"""HyperDense: a dense layer with a kernel that a small network makes for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import boolean, positive_integer
from weightkit.layers.film import pair_of_shapes
from weightkit.layers.making.precision import beyond_float16, matmul
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_WEIGHTS = ("kernel", "kernel_bias", "output_kernel", "output_bias", "bias")


@keras.saving.register_keras_serializable(package="weightkit")
class HyperDense(keras.layers.Layer):  # type: ignore[misc]
    """``y = activation(x K(z) + bias)``, the kernel ``K`` made from an embedding ``z`` by two linear layers.

    Ha et al. 2016, "HyperNetworks", arXiv 1609.09106, equation 2, for each input i of the dense layer:
    ``a_i = W_i z + B_i`` and ``K_i = W_out a_i + B_out``. Here ``kernel`` and ``kernel_bias`` have all ``W_i`` and
    ``B_i``; ``output_kernel`` and ``output_bias`` are ``W_out`` and ``B_out``. The kernels of the samples are never
    stored: ``x K(z) = (sum_i x_i a_i) W_out + (sum_i x_i) B_out``.

    Args:
        units: The number of outputs.
        hidden: The size of ``a_i``; by default that of ``z``, as in the paper.
        activation: Anything that Keras accepts.
        use_bias: Whether there is a bias, the same for all samples.
        kernel_initializer: The initializer of ``W``. The other four weights have the same.
        kernel_regularizer: Its regularizer. The others have the same.
        kernel_constraint: Its constraint. The others have the same.
        **options: ``NAME_initializer``, ``NAME_regularizer`` and ``NAME_constraint`` for ``kernel_bias``,
            ``output_kernel``, ``output_bias`` and ``bias``, and the arguments of every layer.

    Input: ``[x, z]``: ``(batch, …, features)`` and ``(batch, n)``. Output: ``(batch, …, units)``. The mask of ``x``
    is passed on.

    Raises:
        RequestError: An argument is invalid, the input is not such a pair, or a size is unknown.

    Example:
        >>> import numpy as np
        >>> layer = HyperDense(1, kernel_initializer="ones", output_kernel_initializer="ones")
        >>> ops.convert_to_numpy(layer([np.array([[3.0]]), np.array([[2.0]])])).tolist()  # a kernel of 2
        [[6.0]]
    """

    def __init__(
        self,
        units: int,
        hidden: int | None = None,
        activation: Any = None,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        **options: Any,
    ) -> None:
        initializers = {
            "kernel_bias": "zeros",
            "output_kernel": "glorot_uniform",
            "output_bias": "zeros",
            "bias": "zeros",
        }
        weights = {"kernel": (kernel_initializer, kernel_regularizer, kernel_constraint)}
        for name, default in initializers.items():
            values = (options.pop(f"{name}_{kind}", None) for kind in ("initializer", "regularizer", "constraint"))
            initializer, *others = values
            weights[name] = (default if initializer is None else initializer, *others)
        super().__init__(**options)
        self.units = positive_integer("units", units)
        self.hidden = None if hidden is None else positive_integer("hidden", hidden)
        self.activation = keras.activations.get(activation)
        self.use_bias = boolean("use_bias", use_bias)
        for name, arguments in weights.items():
            set_weight_arguments(self, name, *arguments)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the weights of the small network, and the bias."""
        features, embedding = pair_of_shapes(self, input_shape, "embedding")
        required_rank(self, features, 2)
        required_rank(self, embedding, 2, 2)
        (inputs,), (size,) = known_sizes(self, features, [-1]), known_sizes(self, embedding, [-1])
        self._inputs, self._hidden = inputs, self.hidden or size
        self.kernel = add_weight(self, "kernel", (size, inputs * self._hidden))
        self.kernel_bias = add_weight(self, "kernel_bias", (inputs * self._hidden,))
        self.output_kernel = add_weight(self, "output_kernel", (self._hidden, self.units))
        self.output_bias = add_weight(self, "output_bias", (self.units,))
        self.bias = add_weight(self, "bias", (self.units,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        """Return the features of each sample times its own kernel."""
        features, embedding = (beyond_float16(one) for one in inputs)
        made = matmul(embedding, self.kernel)
        made = made + ops.cast(self.kernel_bias, made.dtype)
        # Axes between batch and features share the kernel of their sample.
        middle = [1] * (len(features.shape) - 3)
        made = ops.reshape(made, (-1, *middle, self._inputs, self._hidden))
        # A product of matrices, one for each sample, needs an axis of rows.
        rows = ops.expand_dims(features, -2) if len(features.shape) == 2 else features  # noqa: PLR2004
        summed = matmul(rows, made)
        outputs = matmul(summed, self.output_kernel)
        outputs = outputs + ops.sum(rows, -1, keepdims=True) * ops.cast(self.output_bias, outputs.dtype)
        outputs = outputs if self.bias is None else outputs + ops.cast(self.bias, outputs.dtype)
        outputs = ops.squeeze(outputs, -2) if len(features.shape) == 2 else outputs  # noqa: PLR2004
        return self.activation(ops.cast(outputs, self.compute_dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:  # noqa: ARG002
        """The mask of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """``(batch, …, units)``."""
        return (*pair_of_shapes(self, input_shape, "embedding")[0][:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {
            **super().get_config(),
            "units": self.units,
            "hidden": self.hidden,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
        for name in _WEIGHTS:
            config |= weight_config(self, name)
        return config

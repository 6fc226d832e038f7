"""NoisyDense: a dense layer whose weights have noise of a learned size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import boolean, integer_or_none, number, one_of, positive_integer
from weightkit.layers.making.precision import matmul
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

# Section 3.2 of the paper.
_SIGMA = {"factorized": 0.5, "independent": 0.017}
_WEIGHTS = ("kernel", "bias")


@keras.saving.register_keras_serializable(package="weightkit")
class NoisyDense(keras.layers.Layer):  # type: ignore[misc]
    """``y = activation(x (kernel + kernel_sigma * e_w) + bias + bias_sigma * e_b)``, with noise in training.

    The sizes of the noise are trained like the weights, so that exploration decreases where it does not help. Fortunato
    et al. 2017, "Noisy Networks for Exploration", arXiv 1706.10295, equation 9. Independent noise is normal for each
    weight. Factorized noise (equations 10 and 11) is ``f(e_i) f(e_j)`` for a weight and ``f(e_j)`` for a bias, with
    ``f(x) = sgn(x) sqrt(|x|)``, from one normal number for each input and each output. All samples of a batch
    have the same noise.

    By default weights are initialized as in section 3.2 of the paper. With ``p`` inputs, means are uniform within
    ``±1 / sqrt(p)`` and sigmas are ``0.5 / sqrt(p)`` for factorized noise, ``±sqrt(3 / p)`` and 0.017 for independent.

    Args:
        units: The number of outputs.
        activation: Anything that Keras accepts.
        use_bias: Whether there is a bias.
        noise: ``"factorized"`` or ``"independent"``.
        sigma: The initial size of the noise; for factorized noise, before the division by ``sqrt(p)``.
        kernel_initializer: The initializer of the kernel's mean; by default that of the paper. ``bias`` has the same.
        kernel_regularizer: Its regularizer. ``bias``, ``kernel_sigma`` and ``bias_sigma`` have the same.
        kernel_constraint: Its constraint. The others have the same.
        bias_initializer: See above.
        bias_regularizer: See above.
        bias_constraint: See above.
        kernel_sigma_regularizer: See above.
        kernel_sigma_constraint: See above.
        bias_sigma_regularizer: See above.
        bias_sigma_constraint: See above.
        seed: The seed of the noise and of the default initializers.

    Input: ``(batch, …, p)``. Output: ``(batch, …, units)``. Masks are passed on.

    Raises:
        RequestError: An argument is invalid, or the number of inputs is unknown.

    Example:
        >>> import numpy as np
        >>> layer = NoisyDense(2, kernel_initializer="ones", bias_initializer="zeros", seed=1)
        >>> ops.convert_to_numpy(layer(np.array([[1.0, 2.0]]), training=False)).tolist()
        [[3.0, 3.0]]
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        *,
        use_bias: bool = True,
        noise: str = "factorized",
        sigma: float | None = None,
        kernel_initializer: Any = None,
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_initializer: Any = None,
        bias_regularizer: Any = None,
        bias_constraint: Any = None,
        kernel_sigma_regularizer: Any = None,
        kernel_sigma_constraint: Any = None,
        bias_sigma_regularizer: Any = None,
        bias_sigma_constraint: Any = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = positive_integer("units", units)
        self.activation = keras.activations.get(activation)
        self.use_bias = boolean("use_bias", use_bias)
        self.noise = one_of("noise", noise, list(_SIGMA))
        self.sigma = number("sigma", _SIGMA[self.noise] if sigma is None else sigma, 0)
        set_weight_arguments(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        set_weight_arguments(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        set_weight_arguments(self, "kernel_sigma", None, kernel_sigma_regularizer, kernel_sigma_constraint)
        set_weight_arguments(self, "bias_sigma", None, bias_sigma_regularizer, bias_sigma_constraint)
        self.seed = integer_or_none("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Make the means and the sizes of the noise."""
        required_rank(self, input_shape, 2)
        (inputs,) = known_sizes(self, input_shape, [-1])
        shapes = {"kernel": (inputs, self.units)} | ({"bias": (self.units,)} if self.use_bias else {})
        factorized = self.noise == "factorized"
        limit = 1 / math.sqrt(inputs) if factorized else math.sqrt(3 / inputs)
        sigma = self.sigma / math.sqrt(inputs) if factorized else self.sigma
        self.bias = self.bias_sigma = None
        for name, shape in shapes.items():
            mean = keras.initializers.RandomUniform(-limit, limit, seed=self.seed)
            setattr(self, name, add_weight(self, name, shape, otherwise=mean))
            size = keras.initializers.Constant(sigma)
            setattr(self, f"{name}_sigma", add_weight(self, f"{name}_sigma", shape, otherwise=size))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the outputs, with noise in training."""
        kernel, bias = self.kernel, self.bias
        if training:
            noise_of_kernel, noise_of_bias = self._draw(inputs.shape[-1])
            kernel = kernel + self.kernel_sigma * ops.cast(noise_of_kernel, kernel.dtype)
            bias = None if bias is None else bias + self.bias_sigma * ops.cast(noise_of_bias, kernel.dtype)
        outputs = matmul(inputs, kernel)
        outputs = outputs if bias is None else outputs + ops.cast(bias, outputs.dtype)
        return self.activation(outputs)

    def _draw(self, inputs: int) -> tuple[Any, Any]:
        # Drawn in full precision and then cast: half precision has too few different numbers.
        dtype = keras.backend.floatx() if self.compute_dtype != "float64" else "float64"

        def normal(shape: tuple[int, ...]) -> Any:
            return keras.random.normal(shape, dtype=dtype, seed=self.seed_generator)

        if self.noise == "independent":
            return normal((inputs, self.units)), normal((self.units,))
        rows, columns = (_spread(normal((size,))) for size in (inputs, self.units))
        return ops.outer(rows, columns), columns

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """``(*input_shape[:-1], units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "noise": self.noise,
            "sigma": self.sigma,
            "seed": self.seed,
        }
        for name in _WEIGHTS:
            sizes = weight_config(self, f"{name}_sigma")
            del sizes[f"{name}_sigma_initializer"]  # the argument `sigma` replaces it
            config |= weight_config(self, name) | sizes
        return config


def _spread(values: Any) -> Any:
    """``sgn(x) sqrt(|x|)``."""
    return ops.sign(values) * ops.sqrt(ops.abs(values))

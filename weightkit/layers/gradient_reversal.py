"""GradientReversal: the identity, whose gradient is turned round on the way back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.layers.making.arguments import number

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape


@keras.saving.register_keras_serializable(package="weightkit")
class GradientReversal(keras.layers.Layer):  # type: ignore[misc]
    """Hand the input on as it is, and its gradient back times ``-factor``.

    Between features and a classifier of domains, it makes the features worse for that classifier while it learns to be
    better. Ganin & Lempitsky 2015, "Unsupervised Domain Adaptation by Backpropagation", arXiv 1409.7495, and Ganin et
    al., "Domain-Adversarial Training of Neural Networks", arXiv 1505.07818, equations 16 and 17: ``R(x) = x``,
    ``dR/dx = -I``, scaled by lambda.

    Args:
        factor: Lambda, from 0 on. It is held in a weight that is not trained, so that a callback may change it without
            the model being traced again: ``layer.factor.assign(GradientReversal.annealed(progress))``.

    Input and output: any shape, the same one; the output equals the input bit for bit. Masks go through.

    Raises:
        RequestError: ``factor`` is no finite number from 0 on.

    Example:
        >>> import numpy as np
        >>> layer = GradientReversal(0.5)
        >>> np.asarray(keras.ops.convert_to_numpy(layer(np.array([[2.0, -4.0]])))).tolist()
        [[2.0, -4.0]]
    """

    def __init__(self, factor: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self._initial = number("factor", factor, 0)
        self.supports_masking = True

    @staticmethod
    def annealed(progress: float, gamma: float = 10.0) -> float:
        """The factor at a part of the training, from 0 at its beginning to near 1 at its end.

        ``2 / (1 + exp(-gamma p)) - 1``, arXiv 1505.07818, section 5.2.2, with its gamma of 10.

        Args:
            progress: From 0 to 1.
            gamma: How steeply it grows.

        Raises:
            RequestError: ``progress`` is no number from 0 to 1.

        Example:
            >>> GradientReversal.annealed(0.0)
            0.0
            >>> round(GradientReversal.annealed(0.5), 4)
            0.9866
        """
        number("progress", progress, 0, below=math.nextafter(1, 2))
        return 2 / (1 + math.exp(-number("gamma", gamma, 0) * progress)) - 1

    def build(self, input_shape: Shape) -> None:  # noqa: ARG002
        """Make the weight that holds the factor."""
        self.factor = self.add_weight(
            name="factor", shape=(), initializer=keras.initializers.Constant(self._initial), trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return _reversed(inputs, ops.cast(self.factor, inputs.dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "factor": self._initial}


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _reversed(inputs: Any, factor: Any) -> Any:
    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        given = arguments[-1] if upstream is None else upstream  # JAX hands it over by position
        return ops.negative(factor) * given, ops.zeros_like(factor)

    return inputs, gradient

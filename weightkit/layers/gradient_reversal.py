"""GradientReversal: the identity, with the gradient multiplied by a negative factor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import number
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape


@keras.saving.register_keras_serializable(package="weightkit")
class GradientReversal(keras.layers.Layer):  # type: ignore[misc]
    """Return the input unchanged, and multiply its gradient by ``-factor``.

    Between features and a domain classifier, it trains the features to confuse the classifier while the classifier
    improves. Ganin & Lempitsky 2015, "Unsupervised Domain Adaptation by Backpropagation", arXiv 1409.7495, and Ganin et
    al., "Domain-Adversarial Training of Neural Networks", arXiv 1505.07818, equations 16 and 17: ``R(x) = x``,
    ``dR/dx = -I``, scaled by lambda.

    Args:
        factor: Lambda, 0 or more. It is a weight that is not trained, so that a callback can change it without
            retracing the model: ``layer.factor.assign(GradientReversal.annealed(progress))``.

    Input and output: any shape; the output equals the input bit for bit. Masks are passed on.

    Raises:
        RequestError: ``factor`` is not a finite number >= 0.

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
        """The factor as training progresses, from 0 at the start to almost 1 at the end.

        ``2 / (1 + exp(-gamma p)) - 1``, arXiv 1505.07818, section 5.2.2, with its gamma of 10.

        Args:
            progress: From 0 to 1.
            gamma: How fast it grows.

        Raises:
            RequestError: ``progress`` is not a number from 0 to 1.

        Example:
            >>> GradientReversal.annealed(0.0)
            0.0
            >>> round(GradientReversal.annealed(0.5), 4)
            0.9866
        """
        if number("progress", progress, 0) > 1:
            raise RequestError(f"progress must be a number from 0 to 1, got {progress!r}")
        return 2 / (1 + math.exp(-number("gamma", gamma, 0) * progress)) - 1

    def build(self, input_shape: Shape) -> None:  # noqa: ARG002
        """Make the weight with the factor."""
        self.factor = self.add_weight(
            name="factor", shape=(), initializer=keras.initializers.Constant(self._initial), trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """Return the inputs."""
        return _reversed(inputs, ops.cast(self.factor, inputs.dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "factor": self._initial}


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _reversed(inputs: Any, factor: Any) -> Any:
    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        incoming = arguments[-1] if upstream is None else upstream  # JAX passes it by position
        # Each argument of the function needs a gradient, the factor too.
        return ops.negative(factor) * incoming, ops.zeros_like(factor)

    return inputs, gradient

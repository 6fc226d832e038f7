"""CosineDense: outputs are cosines between the input and each output's vector, with a margin where wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.errors import RequestError
from weightkit.layers.making.arguments import number, positive_integer
from weightkit.layers.making.precision import at_least_float32, matmul, unit
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.parametrized.added_weights import add, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape


@keras.saving.register_keras_serializable(package="weightkit")
class CosineDense(keras.layers.Layer):  # type: ignore[misc]
    """``y_j = scale * cos(x, kernel_j)``; in training, less ``scale * margin`` for the output that is the label.

    Neither the input's length nor the vectors' plays a part. Followed by a softmax with cross-entropy this is the large
    margin cosine loss of Wang et al. 2018, "CosFace", arXiv 1801.09414, equation 4:
    ``-log(e^(s (cos(t_y) - m)) / (e^(s (cos(t_y) - m)) + sum_(j != y) e^(s cos(t_j))))``. Experiments there use
    ``scale=64, margin=0.35``.

    Args:
        units: How many outputs: classes.
        scale: The factor s.
        margin: The margin m. Where it is more than zero, the layer takes ``[x, labels]``, of which the labels matter in
            training alone; a label outside ``[0, units)`` gets no margin.
        kernel_initializer: How the vectors begin.
        kernel_regularizer: What their size costs.
        kernel_constraint: What they are held to.

    Input: ``(batch, …, features)``, and with a margin labels ``(batch, …)``, integers. Output: ``(batch, …, units)``,
    between ``-scale`` and ``scale`` without the margin. An input of zeros gives zeros. Masks go through.

    Raises:
        RequestError: An argument is wrong, the number of features is unknown, or labels are missing.

    Example:
        >>> import numpy as np
        >>> layer = CosineDense(1, scale=10.0, kernel_initializer="ones")
        >>> ops.convert_to_numpy(layer(np.array([[3.0, 3.0], [-2.0, -2.0]]))).round().tolist()
        [[10.0], [-10.0]]
    """

    def __init__(
        self,
        units: int,
        scale: float = 1.0,
        margin: float = 0.0,
        *,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = positive_integer("units", units)
        self.scale = number("scale", scale, 0, above=True)
        self.margin = number("margin", margin, 0)
        set_weight_arguments(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make a vector for each output, the columns of the kernel."""
        features = self._features(input_shape)
        required_rank(self, features, 2)
        self.kernel = add(self, "kernel", (*known_sizes(self, features, [-1]), self.units))

    def _features(self, input_shape: Any) -> Shape:
        """The shape of the features alone.

        Raises:
            RequestError: There are labels and no margin, or the other way round.
        """
        has_labels = bool(input_shape) and isinstance(input_shape[0], (tuple, list))
        if has_labels != (self.margin > 0):
            takes = "[x, labels]" if self.margin > 0 else "x alone"
            raise RequestError(f"{self.name} with margin={self.margin} takes {takes}, not {input_shape}")
        return tuple(input_shape[0] if has_labels else input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The scaled cosines, less the margin for labels in training."""
        features, labels = inputs if self.margin > 0 else (inputs, None)
        directions = unit(at_least_float32(features), -1)
        vectors = unit(at_least_float32(ops.convert_to_tensor(self.kernel)), 0)
        cosines = matmul(directions, ops.cast(vectors, directions.dtype))
        if training and labels is not None:
            # `one_hot` would do, but on PyTorch it refuses a label outside.
            is_label = ops.equal(ops.cast(labels, "int32")[..., None], ops.arange(self.units, dtype="int32"))
            cosines = cosines - self.margin * ops.cast(is_label, cosines.dtype)
        return ops.cast(self.scale * cosines, self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:  # noqa: ARG002
        """That of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """``(batch, …, units)``."""
        return (*self._features(input_shape)[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"units": self.units, "scale": self.scale, "margin": self.margin}
        return {**super().get_config(), **own, **weight_config(self, "kernel")}

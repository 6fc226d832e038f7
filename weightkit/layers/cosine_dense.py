"""CosineDense: the outputs are cosines between the input and the vector of each output, with an optional margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from weightkit.arguments import number, positive_integer
from weightkit.errors import RequestError
from weightkit.layers.making.precision import at_least_float32, matmul, unit
from weightkit.layers.making.shapes import known_sizes, required_rank
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape


@keras.saving.register_keras_serializable(package="weightkit")
class CosineDense(keras.layers.Layer):  # type: ignore[misc]
    """``y_j = scale * cos(x, kernel_j)``; in training minus ``scale * margin`` for the output that is the label.

    The lengths of the input and of the vectors have no effect. With softmax and cross-entropy this is the large margin
    cosine loss of Wang et al. 2018, "CosFace", arXiv 1801.09414, equation 4:
    ``-log(e^(s (cos(t_y) - m)) / (e^(s (cos(t_y) - m)) + sum_(j != y) e^(s cos(t_j))))``. The paper's experiments
    use ``scale=64, margin=0.35``.

    Args:
        units: The number of outputs (classes).
        scale: The factor s.
        margin: The margin m. If it is above zero, the input is ``[x, labels]``; labels are used in training only, and a
            label outside ``[0, units)`` gets no margin.
        kernel_initializer: The initializer of the vectors.
        kernel_regularizer: Its regularizer.
        kernel_constraint: Its constraint.

    Input: ``(batch, …, features)``, and with a margin integer labels ``(batch, …)``. Output: ``(batch, …, units)``,
    between ``-scale`` and ``scale`` without the margin. The output for zeros is zero. Masks are passed on.

    Raises:
        RequestError: An argument is invalid, the number of features is unknown, or labels are missing.

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
        self.scale = number("scale", scale, 0, exclusive=True)
        self.margin = number("margin", margin, 0)
        set_weight_arguments(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel ``(features, units)``, whose columns are the vectors."""
        features = self._features(input_shape)
        required_rank(self, features, 2)
        self.kernel = add_weight(self, "kernel", (*known_sizes(self, features, [-1]), self.units))

    def _features(self, input_shape: Any) -> Shape:
        """The shape of the features without labels.

        Raises:
            RequestError: There are labels and no margin, or a margin and no labels.
        """
        has_labels = bool(input_shape) and isinstance(input_shape[0], (tuple, list))
        if has_labels != (self.margin > 0):
            takes = "[x, labels]" if self.margin > 0 else "x alone"
            raise RequestError(f"{self.name}: the input with margin={self.margin} must be {takes}, got {input_shape}")
        return tuple(input_shape[0] if has_labels else input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the scaled cosines, in training minus the margin for labels."""
        features, labels = inputs if self.margin > 0 else (inputs, None)
        directions = unit(at_least_float32(features), -1)
        vectors = unit(at_least_float32(ops.convert_to_tensor(self.kernel)), 0)
        cosines = matmul(directions, ops.cast(vectors, directions.dtype))
        if training and labels is not None:
            # `ops.one_hot` of Keras 3.15 on PyTorch refuses a label outside the range.
            is_label = ops.equal(ops.cast(labels, "int32")[..., None], ops.arange(self.units, dtype="int32"))
            cosines = cosines - self.margin * ops.cast(is_label, cosines.dtype)
        return ops.cast(self.scale * cosines, self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:  # noqa: ARG002
        """The mask of the features."""
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """``(batch, …, units)``."""
        return (*self._features(input_shape)[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        settings = {"units": self.units, "scale": self.scale, "margin": self.margin}
        return {**super().get_config(), **settings, **weight_config(self, "kernel")}

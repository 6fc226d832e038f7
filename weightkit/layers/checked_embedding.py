"""CheckedEmbedding: an embedding that never returns a wrong row for an id outside the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from weightkit.arguments import boolean, one_of, positive_integer
from weightkit.layers.making.invalid_ids import refuse_array, refuse_invalid_ids
from weightkit.layers.making.weight_arguments import add_weight, set_weight_arguments, weight_config

if TYPE_CHECKING:
    from weightkit.layers.making.shapes import Shape

_CHOICES = ("raise", "clip", "oov", "zero", "nan")
_INT32 = 2**31


@keras.saving.register_keras_serializable(package="weightkit")
class CheckedEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Look up rows of a table by id, as ``keras.layers.Embedding`` does, with a rule for ids outside the table.

    Keras requires ids in ``[0, input_dim)`` and does not check them: in Keras 3.15, -1 gives the last row on every
    backend, and an id that is too large gives an error, the last row, or NaN, depending on the backend. This layer does
    the same on every backend, eager or compiled. A valid id is an integer from 0 to ``input_dim - 1``, of any dtype:
    2.0 is valid, 2.5 and NaN are not.

    Args:
        input_dim: The number of ids.
        output_dim: The length of a row.
        embeddings_initializer: The initializer of the table.
        embeddings_regularizer: Its regularizer.
        embeddings_constraint: Its constraint.
        mask_zero: Whether id 0 is padding, which later layers mask.
        on_invalid: The result for an invalid id. ``"raise"``: an error with the id, its position and the range; code
            that XLA compiles cannot raise, and returns a row of NaN. ``"clip"``: the row of the nearest valid id (0 for
            NaN, 2 for 2.5). ``"oov"``: an extra row at the end of the table, the same one for all such ids.
            ``"zero"`` and ``"nan"``: a row of zeros or NaN.

    Input: ids of any shape ``(batch, …)``. Output: ``(batch, …, output_dim)``. An invalid id trains no row, except with
    ``"oov"``. JAX converts 64-bit ids to 32 bits by default. The layer checks NumPy arrays before that when it is
    called on them directly; a model that is called on them converts them first.

    Raises:
        RequestError: An argument is invalid, or, with ``"raise"``, an id.

    Example:
        >>> layer = CheckedEmbedding(5, 2, embeddings_initializer="ones", on_invalid="zero")
        >>> ops.convert_to_numpy(layer(np.array([4, 5, -1]))).tolist()
        [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        on_invalid: str = "raise",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input_dim = positive_integer("input_dim", input_dim)
        self.output_dim = positive_integer("output_dim", output_dim)
        set_weight_arguments(self, "embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint)
        self.mask_zero = boolean("mask_zero", mask_zero)
        self.on_invalid = one_of("on_invalid", on_invalid, _CHOICES)
        self.supports_masking = self.mask_zero
        self.autocast = False  # float16 cannot represent integers above 2,048 exactly

    def build(self, input_shape: Shape) -> None:  # noqa: ARG002
        """Make the table ``(input_dim, output_dim)``; with ``"oov"`` it has one more row."""
        self.embeddings = add_weight(self, "embeddings", (self.input_dim + (self.on_invalid == "oov"), self.output_dim))

    def __call__(self, inputs: Any, *arguments: Any, **options: Any) -> Any:
        """Check 64-bit ids before JAX converts them to 32 bits."""
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "iu" and inputs.dtype.itemsize > 4:  # noqa: PLR2004
            inputs = self._narrow(inputs)
        return super().__call__(inputs, *arguments, **options)

    def _narrow(self, ids: np.ndarray) -> np.ndarray:
        """Convert ids to 32 bits, unless the table is too large; invalid ids stay invalid."""
        valid = (ids >= 0) & (ids < self.input_dim)
        if self.on_invalid == "raise":
            refuse_array(self.name, ids, valid, self.input_dim)
        if self.input_dim >= _INT32:
            return ids
        narrow: np.ndarray = np.clip(ids, -1, self.input_dim).astype(np.int32)
        return narrow

    def call(self, inputs: Any) -> Any:
        """Return the rows of the ids."""
        ids = _comparable(inputs)
        valid = self._is_valid(ids)
        if self.on_invalid == "raise":
            refuse_invalid_ids(self.name, ids, valid, self.input_dim)
        rows = ops.take(self.embeddings, self._rows_of(ids, valid), axis=0)
        # Without autocast, which would round the ids, the rows are cast here.
        rows = ops.cast(rows, self.compute_dtype)
        return self._with_rule(rows, ops.expand_dims(valid, -1))

    def _is_valid(self, ids: Any) -> Any:
        valid = ops.logical_and(ids >= 0, ids <= ops.cast(self.input_dim - 1, ids.dtype))
        return ops.logical_and(valid, ops.floor(ids) == ids) if "float" in str(ids.dtype) else valid

    def _rows_of(self, ids: Any, valid: Any) -> Any:
        """The row of the table to read for each id; it always exists."""
        # What a NaN becomes as an integer depends on the backend.
        inside = ops.where(ids == ids, ids, ops.zeros_like(ids))  # noqa: PLR0124  # NaN is not itself
        inside = ops.clip(inside, 0, self.input_dim - 1)
        index = ops.cast(inside, "int32" if self.input_dim < _INT32 else "int64")
        return ops.where(valid, index, ops.full_like(index, self.input_dim)) if self.on_invalid == "oov" else index

    def _with_rule(self, rows: Any, valid: Any) -> Any:
        """The rows, with those of invalid ids replaced or not trained."""
        if self.on_invalid == "oov":
            return rows
        if self.on_invalid == "clip":
            return ops.where(valid, rows, ops.stop_gradient(rows))
        fill = 0.0 if self.on_invalid == "zero" else float("nan")
        return ops.where(valid, rows, ops.full_like(rows, fill))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:  # noqa: ARG002
        """With ``mask_zero``, whether each id is not 0."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """``(*input_shape, output_dim)``."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            **weight_config(self, "embeddings"),
            "mask_zero": self.mask_zero,
            "on_invalid": self.on_invalid,
        }


def _comparable(ids: Any) -> Any:
    """Ids in a dtype that can represent the size of the table: narrow integers are cast to 32 bits."""
    dtype = keras.backend.standardize_dtype(ids.dtype)
    if dtype in {"bool", "int8", "uint8", "int16", "uint16"}:
        return ops.cast(ids, "int32")
    if dtype in {"uint32", "uint64"}:
        narrow = (
            dtype == "uint32" and keras.backend.backend() == "jax"
        )  # it warns of 64-bit dtypes, which it does not have
        return ops.cast(ids, "int32" if narrow else "int64")  # the largest become negative, so they are invalid
    return ops.cast(ids, "float32") if dtype in {"float16", "bfloat16"} else ids

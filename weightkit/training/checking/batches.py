"""The data of one training step: the first batch of the user's data, or random data that fits the model."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from weightkit.builtin import defined_in
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

# The batch size that `fit` uses by default.
_ROWS = 32
_RANDOM_ROWS, _RANDOM_LENGTH = 4, 8
"""Random data: the number of rows, and the length of axes of unknown length."""
_HINT = "pass data= as you pass it to fit: (x, y), a dataset, or a generator"
_ARGUMENTS = ("x", "y", "sample_weight")


class Batch(NamedTuple):
    """The data of one step."""

    x: Any
    y: Any = None
    sample_weight: Any = None
    is_whole: bool = False
    """Whether a dataset gives ``x`` alone and not in a tuple, which a train step of the user's own then gets."""

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        """The arguments of ``train_on_batch``, in its order."""
        return self.x, self.y, self.sample_weight


def batch_of(model: Any, data: Any) -> Batch:
    """The first batch of data in any form that ``fit`` takes.

    Args:
        model: The model.
        data: ``(x, y)`` or ``(x, y, sample_weight)`` of arrays, of which the first 32 rows are used; a dictionary with
            these names, or of inputs; a ``keras.utils.PyDataset``; a dataset or a generator, whose first batch is used
            (a generator does not yield it again); None for random data.

    Raises:
        RequestError: The data has no first batch; or there is no data, and random data cannot be made for the model.
    """
    if data is None:
        return _random_batch(model)
    if isinstance(data, dict):
        # A dictionary may also be a model's inputs by name.
        arguments = set(data) <= set(_ARGUMENTS) and "x" in data
        return _first_rows(Batch(**data) if arguments else Batch(data))
    if isinstance(data, tuple | list):
        return _first_rows(_as_batch(tuple(data)))
    if hasattr(data, "shape"):
        return _first_rows(Batch(data))
    return _first_batch(data)


def _as_batch(parts: tuple[Any, ...]) -> Batch:
    if not 1 <= len(parts) <= len(_ARGUMENTS):
        raise RequestError(f"data must be (x, y, sample_weight) or less, got {len(parts)} parts", hint=_HINT)
    return Batch(*parts)


def _first_batch(data: Any) -> Batch:
    try:
        first = data[0] if hasattr(data, "__getitem__") and hasattr(data, "num_batches") else next(iter(data))
    except (StopIteration, TypeError) as error:
        raise RequestError(f"data must have a first batch, and {type(data).__name__} has none", hint=_HINT) from error
    return _arrays(_as_batch(tuple(first)) if isinstance(first, tuple | list) else Batch(first, is_whole=True))


def _first_rows(batch: Batch) -> Batch:
    return _mapped(lambda array: _in_floatx(array[:_ROWS]), _arrays(batch))


def _in_floatx(array: np.ndarray) -> np.ndarray:
    """Floats in the precision in which ``fit`` gives arrays to the train step; datasets keep theirs."""
    import keras  # noqa: PLC0415

    return array.astype(keras.config.floatx()) if array.dtype.kind == "f" else array


def _arrays(batch: Batch) -> Batch:
    import keras  # noqa: PLC0415

    def as_array(part: Any) -> Any:
        return np.asarray(part) if isinstance(part, list | float | int) else keras.ops.convert_to_numpy(part)

    return _mapped(as_array, batch)


def _mapped(function: Callable[[Any], Any], batch: Batch) -> Batch:
    import keras  # noqa: PLC0415

    x, y, sample_weight = (None if part is None else keras.tree.map_structure(function, part) for part in batch.parts)
    return Batch(x, y, sample_weight, batch.is_whole)


def _random_batch(model: Any) -> Batch:
    # A fixed seed, so that a report can be repeated.
    generator = np.random.default_rng(0)
    # Keras 3.15 has the nested form of inputs and outputs in private attributes only.
    inputs, outputs = getattr(model, "_inputs_struct", None), getattr(model, "_outputs_struct", None)
    functional = getattr(model, "_functional", None)  # what a Sequential is inside
    if functional is not None:
        inputs, outputs = functional._inputs_struct, functional._outputs_struct  # noqa: SLF001
    if inputs is None or outputs is None:
        raise RequestError("data must be given for a subclassed model: its inputs are unknown", hint=_HINT)
    import keras  # noqa: PLC0415

    ids = _smallest_vocabulary(model)
    x = keras.tree.map_structure(lambda one: _random_input(generator, one, ids), inputs)
    return Batch(x, _random_targets(generator, model.loss, outputs))


def _smallest_vocabulary(model: Any) -> int:
    # Which input feeds which Embedding is unknown: random ids must be valid in all of them.
    sizes = (getattr(layer, "input_dim", None) for layer in model._flatten_layers())  # noqa: SLF001
    return min((size for size in sizes if isinstance(size, int)), default=2)


def _shape(tensor: Any) -> tuple[int, ...]:
    return (_RANDOM_ROWS, *(_RANDOM_LENGTH if axis is None else axis for axis in tensor.shape[1:]))


def _random_input(generator: np.random.Generator, tensor: Any, ids: int) -> np.ndarray:
    shape, dtype = _shape(tensor), str(tensor.dtype)
    if "int" in dtype or dtype == "bool":
        return generator.integers(0, ids, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _random_targets(generator: np.random.Generator, loss: Any, outputs: Any) -> Any:
    if isinstance(loss, dict) and isinstance(outputs, dict):
        return {name: _random_target(generator, loss[name], outputs[name]) for name in loss}
    if isinstance(outputs, list | tuple) and len(outputs) > 1:
        if isinstance(loss, dict):
            raise RequestError("data must be given for losses by name and outputs by position", hint=_HINT)
        losses = loss if isinstance(loss, list | tuple) else itertools.repeat(loss)
        # `repeat` never ends, so this zip cannot be strict.
        return [_random_target(generator, one, output) for one, output in zip(losses, outputs, strict=False)]
    [output] = outputs if isinstance(outputs, list | tuple) else [outputs]
    [one] = loss if isinstance(loss, list | tuple) else [loss]
    return _random_target(generator, one, output)


def _random_target(generator: np.random.Generator, loss: Any, output: Any) -> np.ndarray:
    name = str(loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", ""))
    make = _TARGETS.get(name)
    # A user's own loss may have a Keras name and take other targets.
    if make is None or (not isinstance(loss, str) and not _is_keras_loss(loss)):
        raise RequestError(f"data must be given for the loss {name or loss!r}: its targets are unknown", hint=_HINT)
    return make(generator, _shape(output))


def _is_keras_loss(loss: Any) -> bool:
    """Whether a loss, a function or an object, is one of Keras' own."""
    return defined_in(loss if hasattr(loss, "__name__") else type(loss))


def _numbers(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return generator.standard_normal(shape).astype(np.float32)


def _bits(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return generator.integers(0, 2, shape).astype(np.float32)


def _classes(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return generator.integers(0, shape[-1], shape[:-1]).astype(np.int32)


def _one_hot(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    chosen: np.ndarray = np.eye(shape[-1], dtype=np.float32)[_classes(generator, shape)]
    return chosen


_TARGETS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "mse": _numbers,
    "mean_squared_error": _numbers,
    "mae": _numbers,
    "mean_absolute_error": _numbers,
    "huber": _numbers,
    "huber_loss": _numbers,
    "log_cosh": _numbers,
    "binary_crossentropy": _bits,
    "categorical_crossentropy": _one_hot,
    "sparse_categorical_crossentropy": _classes,
}
"""Losses for which random targets can be made."""

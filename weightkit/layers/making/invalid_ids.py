"""Raise an error for invalid ids, on each backend where code can raise."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from weightkit.errors import RequestError

_HINT = "check the ids, or pass on_invalid='clip', 'oov', 'zero' or 'nan'"


def refuse_invalid_ids(name: str, ids: Any, valid: Any, size: int) -> None:
    """Raise an error for an invalid id: now in eager mode, or when a TensorFlow graph runs.

    Code that XLA compiles, on TensorFlow or JAX, cannot raise: there this does nothing.

    Args:
        name: The layer's name.
        ids: The tensor of ids, of any shape.
        valid: Whether each id is valid, in the same shape.
        size: Valid ids are from 0 to ``size - 1``.

    Raises:
        RequestError: In eager mode: with the first invalid id, its position and the range.
        tensorflow.errors.InvalidArgumentError: When a TensorFlow graph runs: with the same text.
    """
    {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[keras.backend.backend()](name, ids, valid, size)


def refuse_array(name: str, ids: np.ndarray, valid: np.ndarray, size: int) -> None:
    """Raise an error for an invalid id in an array.

    Raises:
        RequestError: An id is invalid.

    Example:
        >>> refuse_array("words", np.array([[1, 9]]), np.array([[True, False]]), 5)
        Traceback (most recent call last):
        weightkit.errors.RequestError: words: ids must be in [0, 5), got 9 at position (0, 1) ...
    """
    if not valid.all():
        position = tuple(int(i) for i in np.argwhere(~valid)[0])
        problem = f"{name}: ids must be in [0, {size}), got {ids[position]} at position {position}"
        raise RequestError(problem, hint=_HINT)


def _by_tensorflow(name: str, ids: Any, valid: Any, size: int) -> None:
    import tensorflow as tf  # noqa: PLC0415

    if tf.executing_eagerly():
        refuse_array(name, np.asarray(ids), np.asarray(valid), size)
        return
    flat = tf.reshape(valid, [-1])
    # Where all ids are valid this is empty, and the assertion holds.
    first = tf.where(tf.logical_not(valid))[:1]
    message = [f"{name}: ids must be in [0, {size}), got", tf.gather_nd(ids, first), "at position", first]
    # TensorFlow shows only three elements of a tensor by default.
    tf.debugging.Assert(tf.reduce_all(flat), [*message, f"— {_HINT}"], summarize=16)


def _by_jax(name: str, ids: Any, valid: Any, size: int) -> None:
    import jax  # noqa: PLC0415

    if not isinstance(valid, jax.core.Tracer):
        refuse_array(name, np.asarray(ids), np.asarray(valid), size)


def _by_torch(name: str, ids: Any, valid: Any, size: int) -> None:
    if valid.device.type != "meta" and not bool(valid.all()):  # on "meta" tensors have shapes and no values
        refuse_array(name, ids.detach().cpu().numpy(), valid.cpu().numpy(), size)

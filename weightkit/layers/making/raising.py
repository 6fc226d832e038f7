"""Raising an error about values, wherever the backend lets code raise: what only its own functions can do."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from weightkit.errors import RequestError

_HINT = "check the ids, or choose on_invalid='clip', 'oov', 'zero' or 'nan'"


def refuse_invalid_ids(name: str, ids: Any, valid: Any, size: int) -> None:
    """Raise where an id is invalid, if the values can be looked at now or, in a graph of TensorFlow, later.

    Code that is compiled by XLA, on TensorFlow or on JAX, cannot raise: there this does nothing.

    Args:
        name: The layer's name.
        ids: The tensor of ids, of any shape.
        valid: Which of them are, in the same shape.
        size: They are valid from 0 to ``size - 1``.

    Raises:
        RequestError: At once: with the first invalid id, its position and the range.
        tensorflow.errors.InvalidArgumentError: From a graph of TensorFlow: with the same.
    """
    {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}[keras.backend.backend()](name, ids, valid, size)


def refuse_array(name: str, ids: np.ndarray, valid: np.ndarray, size: int) -> None:
    """The same of arrays.

    Raises:
        RequestError: An id is invalid.

    Example:
        >>> refuse_array("words", np.array([[1, 9]]), np.array([[True, False]]), 5)
        Traceback (most recent call last):
        weightkit.errors.RequestError: words: the id 9 at position (0, 1) is outside the table, whose ids are 0 to 4 ...
    """
    if not valid.all():
        position = tuple(int(i) for i in np.argwhere(~valid)[0])
        problem = (
            f"{name}: the id {ids[position]} at position {position} is outside the table, whose ids are 0 to {size - 1}"
        )
        raise RequestError(problem, hint=_HINT)


def _by_tensorflow(name: str, ids: Any, valid: Any, size: int) -> None:
    import tensorflow as tf  # noqa: PLC0415

    if tf.executing_eagerly():
        refuse_array(name, np.asarray(ids), np.asarray(valid), size)
        return
    flat = tf.reshape(valid, [-1])
    # Without one element there is nothing to point at; the assertion then holds.
    first = tf.where(tf.logical_not(valid))[:1]
    said = [f"{name}: the id", tf.gather_nd(ids, first), "at position", first]
    tf.debugging.Assert(
        tf.reduce_all(flat), [*said, f"is outside the table, whose ids are 0 to {size - 1} — {_HINT}"], summarize=16
    )


def _by_jax(name: str, ids: Any, valid: Any, size: int) -> None:
    import jax  # noqa: PLC0415

    if not isinstance(valid, jax.core.Tracer):
        refuse_array(name, np.asarray(ids), np.asarray(valid), size)


def _by_torch(name: str, ids: Any, valid: Any, size: int) -> None:
    if valid.device.type != "meta" and not bool(valid.all()):  # on "meta" Keras asks for shapes alone
        refuse_array(name, ids.detach().cpu().numpy(), valid.cpu().numpy(), size)

"""Which weights get a gradient: runs one training step eagerly and records what the optimizer receives."""

from __future__ import annotations

import contextlib
import enum
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy
from weightkit.training.checking.training_step import train_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.training.checking.batches import Batch


class Gradient(enum.StrEnum):
    """The gradient of a weight."""

    FLOWS = "flows"
    ZERO = "zero"
    """The loss depends on the weight, and every element of the gradient is zero."""
    NONE = "none"
    """The loss does not depend on the weight."""
    NOT_FINITE = "not finite"
    UNKNOWN = "unknown"
    """The model's own train step passes no gradients to its optimizer."""


def gradients_of(model: Any, batch: Batch) -> dict[int, Gradient]:
    """Run one training step eagerly, and return the gradient that the optimizer gets for each variable, by ``id``.

    The step changes the model: make a `Snapshot` first.

    Args:
        model: A compiled model.
        batch: The data of the step.
    """
    found: dict[int, Gradient] = {}
    attributes = vars(model)  # not through Keras' setters, which warn and reset the train function
    attributes.update(train_function=None, _run_eagerly=True, _jit_compile=False)
    with _recording(model, found):
        train_on(model, batch)
    # Only then, since it takes another trace of the model.
    if Gradient.ZERO in found.values() and "jax" in _backend():
        _mark_unconnected(model, batch, found)
    return found


def _backend() -> str:
    import keras  # noqa: PLC0415  # loading this module loads no backend

    return str(keras.backend.backend())


@contextlib.contextmanager
def _recording(model: Any, found: dict[int, Gradient]) -> Iterator[None]:
    """Record the gradients in ``apply``, which every train step ends with, or on JAX in ``stateless_apply``."""
    optimizer = model.optimizer
    apply, stateless_apply = optimizer.apply, optimizer.stateless_apply

    def record(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        for gradient, variable in zip(gradients, variables, strict=False):
            found[id(variable)] = _kind_of(gradient)

    def recording_apply(grads: Any, trainable_variables: Any = None) -> Any:
        variables = model.trainable_variables if trainable_variables is None else list(trainable_variables)
        record(list(grads), variables)
        return apply(grads, trainable_variables)

    def recording_stateless_apply(optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        record(list(grads), model.trainable_variables)
        with _without_recording(optimizer):  # it calls `apply` with arrays in place of variables
            return stateless_apply(optimizer_variables, grads, trainable_variables)

    # Through `vars`: the optimizer's own `__setattr__` (Keras 3.15) tracks what is set.
    vars(optimizer).update(apply=recording_apply, stateless_apply=recording_stateless_apply)
    try:
        yield
    finally:
        for name in ("apply", "stateless_apply"):
            vars(optimizer).pop(name, None)


@contextlib.contextmanager
def _without_recording(optimizer: Any) -> Iterator[None]:
    recording = vars(optimizer).pop("apply")
    try:
        yield
    finally:
        vars(optimizer)["apply"] = recording


def _kind_of(gradient: Any) -> Gradient:
    if gradient is None:
        return Gradient.NONE
    sparse = type(gradient).__name__ == "IndexedSlices"  # TensorFlow's sparse gradient of an Embedding
    values = as_numpy(gradient.values if sparse else gradient)
    values = values.astype(np.float32) if values.dtype.itemsize < np.dtype(np.float32).itemsize else values
    if not np.isfinite(values).all():
        return Gradient.NOT_FINITE
    return Gradient.FLOWS if values.any() else Gradient.ZERO


def _mark_unconnected(model: Any, batch: Batch, found: dict[int, Gradient]) -> None:
    """JAX returns zeros where the loss does not depend on a variable; its linearized program shows which these are."""
    for variable, used in zip(model.trainable_variables, _used(model, batch), strict=False):
        if not used and found.get(id(variable)) is Gradient.ZERO:
            found[id(variable)] = Gradient.NONE


def _used(model: Any, batch: Batch) -> list[bool]:
    """For each trainable variable, whether the derivative of the loss uses it; True where that is unknown."""
    # Keras runs on it, so it is imported already.
    jax: Any = sys.modules["jax"]
    groups = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
    trained, others, metrics = ([one._value for one in group] for group in groups)  # noqa: SLF001
    state = [one._value for one in model.optimizer.variables]  # noqa: SLF001

    def loss(values: Any) -> Any:
        x, y, sample_weight = batch.parts
        arguments = (values, others, metrics, x, y, sample_weight)
        return model.compute_loss_and_updates(*arguments, training=True, optimizer_variables=state)[0]

    try:
        partial_eval = jax.interpreters.partial_eval
        _, derivative = jax.linearize(loss, trained)
        closed = jax.make_jaxpr(derivative)(trained)
        # Dead-code elimination keeps only the inputs that the derivative depends on.
        _, used = partial_eval.dce_jaxpr(closed.jaxpr, [True])
    except Exception:  # noqa: BLE001  # another version of JAX, or a custom train step
        return [True] * len(trained)
    return list(used)

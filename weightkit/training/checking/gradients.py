"""Which gradients reach which weights: one training step, run eagerly, with an ear at the optimizer's door."""

from __future__ import annotations

import contextlib
import enum
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.training.checking.batches import Batch


class Gradient(enum.StrEnum):
    """What reaches a weight."""

    FLOWS = "flows"
    ZERO = "zero"
    """It is connected, and every element is zero."""
    NONE = "none"
    """The loss does not depend on it."""
    NOT_FINITE = "not finite"
    UNKNOWN = "unknown"
    """The model's own train step never hands its gradients to the optimizer."""


def gradients_of(model: Any, batch: Batch) -> dict[int, Gradient]:
    """Run one training step eagerly, and tell what the optimizer is handed for each variable, by ``id``.

    The step changes the model: take a `Snapshot` first.

    Args:
        model: A compiled model.
        batch: What it is trained on.
    """
    heard: dict[int, Gradient] = {}
    attributes = vars(model)  # past Keras' setters, which warn and reset
    attributes.update(train_function=None, _run_eagerly=True, _jit_compile=False)
    with _listening(model, heard):
        model.train_on_batch(*batch)
    if Gradient.ZERO in heard.values() and "jax" in _backend():
        _tell_unconnected(model, batch, heard)
    return heard


def _backend() -> str:
    import keras  # noqa: PLC0415  # loading this module loads no backend

    return str(keras.backend.backend())


@contextlib.contextmanager
def _listening(model: Any, heard: dict[int, Gradient]) -> Iterator[None]:
    """What every backend's train step ends in: ``apply``, or on JAX ``stateless_apply``."""
    optimizer = model.optimizer
    apply, stateless_apply = optimizer.apply, optimizer.stateless_apply

    def hear(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        for gradient, variable in zip(gradients, variables, strict=False):
            heard[id(variable)] = _look(gradient)

    def heard_apply(grads: Any, trainable_variables: Any = None) -> Any:
        variables = model.trainable_variables if trainable_variables is None else list(trainable_variables)
        hear(list(grads), variables)
        return apply(grads, trainable_variables)

    def heard_stateless_apply(optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        hear(list(grads), model.trainable_variables)
        with _deaf(optimizer):  # it calls `apply` on arrays
            return stateless_apply(optimizer_variables, grads, trainable_variables)

    vars(optimizer).update(apply=heard_apply, stateless_apply=heard_stateless_apply)
    try:
        yield
    finally:
        for name in ("apply", "stateless_apply"):
            vars(optimizer).pop(name, None)


@contextlib.contextmanager
def _deaf(optimizer: Any) -> Iterator[None]:
    kept = vars(optimizer).pop("apply")
    try:
        yield
    finally:
        vars(optimizer)["apply"] = kept


def _look(gradient: Any) -> Gradient:
    if gradient is None:
        return Gradient.NONE
    sparse = type(gradient).__name__ == "IndexedSlices"  # TensorFlow's, of an Embedding
    values = as_numpy(gradient.values if sparse else gradient)
    values = values.astype(np.float32) if values.dtype.itemsize < np.dtype(np.float32).itemsize else values
    if not np.isfinite(values).all():
        return Gradient.NOT_FINITE
    return Gradient.FLOWS if values.any() else Gradient.ZERO


def _tell_unconnected(model: Any, batch: Batch, heard: dict[int, Gradient]) -> None:
    """JAX gives zeros for what the loss does not depend on: whether it does, its linear part tells."""
    for variable, used in zip(model.trainable_variables, _used(model, batch), strict=False):
        if not used and heard.get(id(variable)) is Gradient.ZERO:
            heard[id(variable)] = Gradient.NONE


def _used(model: Any, batch: Batch) -> list[bool]:
    """Of which trainable variables the loss' derivative makes use; all, where that cannot be told."""
    jax: Any = sys.modules["jax"]
    groups = (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)
    trained, others, metrics = ([one._value for one in group] for group in groups)  # noqa: SLF001
    state = [one._value for one in model.optimizer.variables]  # noqa: SLF001

    def loss(values: Any) -> Any:
        x, y, sample_weight = batch
        kept = (x, y, sample_weight)
        return model.compute_loss_and_updates(values, others, metrics, *kept, training=True, optimizer_variables=state)[
            0
        ]

    try:
        partial_eval = jax.interpreters.partial_eval
        _, derivative = jax.linearize(loss, trained)
        closed = jax.make_jaxpr(derivative)(trained)
        _, used = partial_eval.dce_jaxpr(closed.jaxpr, [True])
    except Exception:  # noqa: BLE001  # a version of JAX, or a train step, that goes other ways
        return [True] * len(trained)
    return list(used)

"""How a model was compiled: every argument as its owner gave it, and compiling again with them."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import keras

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.optimizer.other_optimizers import other_names, other_optimizers

_GIVEN = ("loss", "loss_weights", "metrics", "weighted_metrics")
_RUNNING = {"fit", "evaluate", "predict", "train_on_batch", "test_on_batch"}


def is_compiled(model: Any) -> bool:
    """Whether a thing is a model that was compiled with an optimizer."""
    return bool(getattr(model, "compiled", False)) and getattr(model, "optimizer", None) is not None


def compile_again(model: Any, optimizer: Any) -> None:
    """Compile a model with another optimizer, and every other argument as it was given.

    A class with a ``compile`` of its own keeps what that has set: Keras' one is called past it. An attribute in which
    it keeps the optimizer under another name gets the new one.
    """
    aliases = other_names(model)
    given = model._compile_config.config  # noqa: SLF001  # the user's own objects; `get_compile_config` serializes
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    keras.Model.compile(
        model,
        optimizer=optimizer,
        **{name: given.get(name) for name in _GIVEN},
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
        auto_scale_loss=scaled,  # wrapped already, or never: it must not be wrapped now
    )
    for name in aliases:
        setattr(model, name, model.optimizer)


def require_compilable(model: Any) -> None:
    """Refuse what cannot be compiled again.

    Raises:
        RequestError: It is training at this moment, or has optimizers of which Keras does not know.
    """
    if _is_running(model):
        raise RequestError(
            f"{model.name} is being trained or evaluated, and compiling it now would break that",
            hint="train in stages: fit, freeze, then fit with initial_epoch",
        )
    if not hasattr(model, "_compile_config"):
        raise RequestError(
            f"the compile() of {type(model).__name__} does not call Keras' own, so that nothing tells its arguments",
            hint="call super().compile(...) in it",
        )
    gone = sum(variable._value is None for variable in (*model.variables, *model.optimizer.variables))  # noqa: SLF001
    if gone:
        raise RequestError(
            f"{gone} variables of {model.name} and its optimizer have no value, as Keras on JAX leaves them after a "
            "fit that failed",
            hint="load the model again",
        )
    others = other_optimizers(model)
    if others:
        raise RequestError(
            f"{type(model).__name__} {model.name} has several optimizers ({', '.join(map(escape, others))} beside its "
            "optimizer), and nothing tells which of them trains what",
            hint="pass recompile=False, and compile the model as you do",
        )


def scope_of(model: Any) -> Any:
    """The context in which variables of a model are made: that of its distribution strategy, where it has one."""
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def _is_running(model: Any) -> bool:
    """Whether one of the calls in progress is a loop of Keras over this model."""
    frame = sys._getframe(1)  # noqa: SLF001  # Keras 3.15 sets nothing that tells
    while frame is not None:
        if frame.f_code.co_name in _RUNNING and frame.f_locals.get("self") is model:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False

"""The arguments that ``compile`` was called with, and compiling again with them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import keras

from weightkit.access.live import require_no_loop, variables_of
from weightkit.errors import RequestError
from weightkit.training.optimizer.other_optimizers import optimizer_aliases, other_optimizers

if TYPE_CHECKING:
    from collections.abc import Mapping

_STAGES = "train in stages: staged_fit, or fit, freeze, then fit with initial_epoch"
_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")


def is_compiled(model: Any) -> bool:
    """Whether this is a model that is compiled with an optimizer."""
    return bool(getattr(model, "compiled", False)) and getattr(model, "optimizer", None) is not None


def require_compiled(model: Any) -> None:
    """Refuse what is not a compiled model.

    Raises:
        RequestError: It is not.
    """
    if not is_compiled(model):
        name = getattr(model, "name", model)
        raise RequestError(f"{name} must be compiled, and is not", hint="call compile(optimizer, loss) first")


def compilation_of(model: Any) -> Any:
    """What each ``compile`` makes again, and nothing else: the model's loss tracker. None where there was none."""
    return getattr(model, "_loss_tracker", None)


def compile_again(model: Any, optimizer: Any, changes: Mapping[str, Any]) -> None:
    """Compile a model with another optimizer, and every other argument as before.

    A class that overrides ``compile`` keeps what that has set: ``keras.Model.compile`` is called directly. Other
    attributes that are the optimizer get the new one.

    Args:
        model: The model.
        optimizer: The new one.
        changes: Arguments that are not as before.
    """
    aliases = optimizer_aliases(model)
    given = model._compile_config.config  # noqa: SLF001  # `get_compile_config` has serialized copies
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # All arguments: Keras 3.15 resets `jit_compile` and `steps_per_execution` where they are left out.
    keras.Model.compile(
        model,
        optimizer=optimizer,
        **{name: given.get(name) for name in _ARGUMENTS} | dict(changes),
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
        auto_scale_loss=scaled,  # with "auto", Keras would wrap the optimizer a second time
    )
    for name in aliases:
        setattr(model, name, model.optimizer)


def require_compilable(model: Any) -> None:
    """Refuse what cannot be compiled again.

    Raises:
        RequestError: It is in a running loop of Keras, has variables without values, or has several optimizers.
    """
    require_not_running(model, f"{model.name} must not be compiled")
    if not hasattr(model, "_compile_config"):
        raise RequestError(
            f"{type(model).__name__}.compile must call keras.Model.compile: its arguments are unknown",
            hint="call super().compile(...) in it",
        )
    gone = sum(variable._value is None for variable in (*model.variables, *model.optimizer.variables))  # noqa: SLF001
    if gone:
        raise RequestError(
            f"{gone} variables of {model.name} and its optimizer have no value: on JAX, a failed fit deletes it",
            hint="load the model again",
        )
    others = other_optimizers(model)
    if others:
        raise RequestError(
            f"{type(model).__name__} {model.name} must have one optimizer, and has several optimizers: optimizer, "
            f"{', '.join(others)}; which one trains which weight is unknown",
            hint="pass recompile=False, and compile the model yourself",
        )


def require_changeable(model: Any, act: str, *, recompiles: bool) -> None:
    """Refuse an act that compiles a model again, where it is compiled, before anything changes.

    Args:
        model: The model.
        act: What is to be done, for the message; see `require_not_running`.
        recompiles: Whether the model is compiled again.

    Raises:
        RequestError: A loop of Keras runs, or the model cannot be compiled again.
    """
    require_not_running(model, act)
    if recompiles and is_compiled(model):
        require_compilable(model)


def require_not_running(model: Any, act: str, hint: str = _STAGES) -> None:
    """Refuse an act while ``fit``, ``predict`` or similar runs for this model or one that shares variables with it.

    Args:
        model: The model.
        act: What is to be done, for the message: ``the trainable flags of model must not change``.
        hint: What to do instead.

    Raises:
        RequestError: There is such a loop, on this thread or another one.
    """
    require_no_loop(variables_of(model), act, hint)


def scope_of(model: Any) -> Any:
    """The context for making variables of a model: the scope of its distribution strategy, where it has one."""
    strategy = getattr(model, "distribute_strategy", None)
    return contextlib.nullcontext() if strategy is None else strategy.scope()

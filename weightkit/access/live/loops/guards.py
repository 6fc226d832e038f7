"""Refuse what a running loop of Keras would lose or be ruined by; give variables their values where that is enough.

Tried at every hook of callbacks on TensorFlow, JAX and PyTorch (Keras 3.15): values that are set there take effect and
last, on JAX after `KerasLoop.sync`. Within a step they do not: the step sets other values at its end, and PyTorch's
gradients would be those of other weights. Trainable flags must not change at all while a loop runs: on JAX every
weight would be lost, and PyTorch's ``fit`` fails.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from weightkit.access.live.loops.keras_loops import loops_with
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BETWEEN = "call it in a method of a callback, such as on_epoch_end, or after the loop"


def require_no_loop(variables: Iterable[Any], act: str, hint: str) -> None:
    """Refuse what must not be done while any loop runs of a model that holds one of these variables.

    Args:
        variables: The variables.
        act: What is to be done, for the message: ``the trainable flags of model must not change``.
        hint: What to do instead.

    Raises:
        RequestError: There is such a loop.
    """
    for loop in loops_with(variables):
        raise RequestError(f"{act} while {loop} is running", hint=hint)


def require_between_steps(variables: Iterable[Any], act: str) -> None:
    """Refuse what must not be done in a step or on another thread; in a callback, the variables get their values.

    Args:
        variables: The variables that are to be set, or read together.
        act: What is to be done: ``the weights of model must not be edited``.

    Raises:
        RequestError: A loop is running, and the caller is not in a callback of it, on its thread.
    """
    for loop in loops_with(variables):
        if loop.hook is None:
            raise RequestError(f"{act} in a step of {loop}, or on another thread while it runs", hint=_BETWEEN)
        loop.sync()


def require_readable(variables: Iterable[Any], act: str) -> None:
    """Give variables their present values, or refuse to read what has none or belongs to a function being traced.

    Args:
        variables: The variables that are to be read.
        act: What is to be done: ``the weights of model cannot be read``.

    Raises:
        RequestError: TensorFlow traces a function, or on JAX a step runs, which holds the values.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and not tensorflow.executing_eagerly():
        raise RequestError(f"{act} in a function that TensorFlow traces: they have no values there", hint=_BETWEEN)
    for loop in loops_with(variables):
        if loop.hook is not None:
            loop.sync()
        elif hasattr(loop.model, "jax_state_sync"):
            raise RequestError(
                f"{act} in a step of {loop}, or on another thread while it runs: on JAX the step holds the values",
                hint=_BETWEEN,
            )


def is_away(variable: Any) -> bool:
    """Whether a variable has no value now: on JAX, a running loop holds it, or has used it up."""
    value = variable._value  # noqa: SLF001  # `value` makes a new one where there is none
    return value is None or bool(getattr(value, "is_deleted", bool)())

"""Which of Keras' loops run now, on any thread, and where in them the caller is.

Keras 3.15 has no public sign of a running loop, so the call stacks are read. That costs microseconds.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

_NAMES = {"fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"}
_CALLBACKS = "keras.src.callbacks.callback_list"
_WRAPPER = "keras.src.utils.traceback_utils"


@dataclass(frozen=True, slots=True, eq=False)
class KerasLoop:
    """One loop that runs."""

    model: Any
    name: str
    """``fit``, ``predict_on_batch``, …"""
    hook: str | None
    """The callback's method that the caller is in, between steps; None in a step or its data, or on another thread."""

    def __str__(self) -> str:
        return f"{self.name} of {self.model.name}"

    def variables(self) -> Iterator[Any]:
        """What the loop reads or changes: weights, metrics and the optimizer's state."""
        yield from variables_of(self.model)
        yield from self.model.metrics_variables

    def sync(self) -> None:
        """Give the variables their present values, which on JAX the loop holds itself while it runs.

        The loop takes the values of the variables at its next step, so changes of them last.
        """
        # JAX has it alone (Keras 3.15); what `Callback.model` calls too.
        getattr(self.model, "jax_state_sync", tuple)()


def variables_of(target: Any) -> Iterator[Any]:
    """The variables of a model, a layer or an optimizer, and of the optimizer that a model has.

    They are walked only if someone asks for the first: most of the time no loop runs.
    """
    yield from getattr(target, "variables", ())
    yield from getattr(getattr(target, "optimizer", None), "variables", ())


def loops_with(variables: Iterable[Any]) -> list[KerasLoop]:
    """The running loops of models that hold at least one of these variables, innermost first."""
    loops = list(_running())
    wanted = {id(variable) for variable in variables} if loops else set()
    return [loop for loop in loops if any(id(variable) in wanted for variable in loop.variables())]


def _running() -> Iterator[KerasLoop]:
    if "keras" not in sys.modules:
        return
    here = threading.get_ident()
    for thread, frame in sys._current_frames().items():  # noqa: SLF001  # the documented way to other threads' stacks
        yield from _on_stack(frame, is_here=thread == here)


def _on_stack(frame: FrameType | None, *, is_here: bool) -> Iterator[KerasLoop]:
    """The loops on one thread's stack, innermost first."""
    hook: str | None = None
    called: FrameType | None = None
    while frame is not None:
        if _is_loop(frame, called):
            # The evaluation that `fit` runs by itself is where its caller is: `hook` stays.
            if called is None or not _is_loop(called, None):
                hook = _hook(called) if is_here else None
            yield KerasLoop(frame.f_locals[frame.f_code.co_varnames[0]], frame.f_code.co_name, hook)
        if _module(frame) != _WRAPPER:
            called = frame
        frame = frame.f_back


def _is_loop(frame: FrameType, called: FrameType | None) -> bool:
    """Whether a frame is a loop of Keras, or one of a class of the user's own that calls callbacks."""
    if frame.f_code.co_name not in _NAMES or not frame.f_code.co_argcount:
        return False
    module = _module(frame)
    return (module.startswith("keras.src.backend.") and module.endswith(".trainer")) or _hook(called) is not None


def _hook(frame: FrameType | None) -> str | None:
    """The callback's method that a frame, called by a loop, is to call; None where it does something else."""
    if frame is None or _module(frame) != _CALLBACKS or not frame.f_code.co_name.startswith("on_"):
        return None
    return frame.f_code.co_name


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))

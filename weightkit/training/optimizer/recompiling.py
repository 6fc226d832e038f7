"""Compile a model again for what is trainable now, and lose nothing that its optimizer has learned."""

from __future__ import annotations

import numbers
from typing import Any, Literal

import numpy as np

from weightkit.errors import RequestError
from weightkit.training.arguments import require_one_of
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.compile_arguments import compile_again, is_compiled, require_compilable, scope_of
from weightkit.training.optimizer.carrying import Carrying, Recompiled
from weightkit.training.optimizer.parked_slots import aside_of, keep_aside

Unfrozen = Literal["own_step", "keep"]
_LARGEST_RATE = float(np.finfo(np.float32).max)


def recompile(
    model: Any,
    *,
    optimizer: Literal["carry", "fresh"] = "carry",
    learning_rate: Any = None,
    unfrozen_slots: Unfrozen = "own_step",
) -> Recompiled:
    """Compile a model again, for exactly what is trainable now, with every argument that it was compiled with.

    The optimizer is a new one of the same configuration: Keras' cannot be built twice. It takes over the slots of each
    weight by the weight's identity, moving averages, accumulators, the raw step count, the learning rate or its
    schedule, the loss scale. Slots of frozen weights are set aside and put back, bit for bit, when those are trained
    again.

    Args:
        model: A compiled model.
        optimizer: ``carry`` its memory over, or begin ``fresh``.
        learning_rate: A number or a schedule to go on with, in the place of the present one.
        unfrozen_slots: How weights begin that this optimizer has never trained, when it has taken steps. With
            ``own_step`` they have an optimizer of their own (hence a step count) within Keras' MultiOptimizer, where
            the kind of optimizer counts steps (all but SGD, RMSprop, Lion, Adagrad, Adadelta, Ftrl): an Adam's first
            step is then one learning rate; not where a schedule or a ``global_clipnorm`` goes over all weights. With
            ``keep`` they share the step count: Adam's first steps are 3 to 6 times the learning rate. A MultiOptimizer
            has no ``learning_rate`` of its own, which callbacks may ask for.

    Raises:
        RequestError: The model is not compiled, is being trained, has several optimizers in a ``compile`` of its own,
            or two of its weights share the path that MultiOptimizer would tell them apart by.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> model.optimizer.build(model.trainable_variables)
        >>> model.layers[0].trainable = False
        >>> print(recompile(model))
        slots of 2 weights carried, 2 set aside, 0 put back, 0 begun
    """
    _require_request(model, optimizer, unfrozen_slots)
    if isinstance(learning_rate, numbers.Real | np.bool_):
        learning_rate = _rate(learning_rate)  # one of NumPy's is no part of a configuration
    require_compilable(model)
    return compile_with(
        model, fresh=optimizer == "fresh", learning_rate=learning_rate, own_step=unfrozen_slots == "own_step"
    )


def compile_with(
    model: Any,
    *,
    fresh: bool = False,
    learning_rate: Any = None,
    own_step: bool = True,
    anew: frozenset[int] = frozenset(),
    rejoin: bool = False,
) -> Recompiled:
    """Compile a model again with a new optimizer: as a whole, or on any error and interruption not at all.

    Args:
        model: One of which `require_compilable` has nothing to say.
        fresh: Whether the new optimizer remembers nothing.
        learning_rate: As `Carrying` takes it, and the others too.
        own_step: As above.
        anew: As above.
        rejoin: As above.
    """
    with scope_of(model):
        work = Carrying(model, learning_rate=learning_rate, own_step=own_step, anew=anew, rejoin=rejoin)
        new, aside, done = work.fresh() if fresh else work.carried()
        before, kept = ObjectStates([model], []), aside_of(model)
        try:
            compile_again(model, new)
            keep_aside(model, aside)
        except BaseException:
            before.put_back()
            keep_aside(model, kept)
            raise
    return done


def _rate(given: Any) -> float:
    """A learning rate as a number of Python's, which any optimizer keeps as float32."""
    if isinstance(given, bool | np.bool_) or not 0 <= float(given) <= _LARGEST_RATE:
        raise RequestError(f"learning_rate is {given!r}", hint="give a finite number of at least 0")
    return float(given)


def _require_request(model: Any, optimizer: str, unfrozen_slots: str) -> None:
    if not is_compiled(model):
        raise RequestError(
            f"{getattr(model, 'name', model)} has not been compiled", hint="call compile(optimizer, loss) first"
        )
    require_one_of("optimizer", optimizer, "carry", "fresh")
    require_known(unfrozen_slots)


def require_known(unfrozen_slots: str) -> None:
    """Refuse what is no way for unfrozen weights to begin.

    Raises:
        RequestError: It is neither ``own_step`` nor ``keep``.
    """
    require_one_of("unfrozen_slots", unfrozen_slots, "own_step", "keep")

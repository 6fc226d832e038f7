"""Compile a model again for what is trainable now, and keep the optimizer's state."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from weightkit.arguments import boolean, one_of, positive_integer
from weightkit.errors import RequestError
from weightkit.restore_on_error import restore_on_error
from weightkit.training.checking.object_states import ObjectStates
from weightkit.training.model.compile_arguments import compile_again, require_compilable, require_compiled, scope_of
from weightkit.training.model.own_loop import note_steps
from weightkit.training.optimizer.metric_states import MetricStates, reset_metrics
from weightkit.training.optimizer.parked_slots import park, parked_of
from weightkit.training.optimizer.rates import checked_rate
from weightkit.training.optimizer.recompilation import Recompilation, Recompiled
from weightkit.training.optimizer.replacement import checked_optimizer, require_no_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OptimizerStateChoice = Literal["carry", "fresh"]
StepCount = Literal["separate", "shared"]


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How a model is compiled again when its flags change; checked when it is made.

    Raises:
        RequestError: One of them has another value than those of its type, or two do not go together.
    """

    recompile: bool = True
    """Whether to compile it at all."""
    optimizer_state: OptimizerStateChoice = "carry"
    step_count: StepCount = "separate"
    rates: Mapping[int, Any] = field(default_factory=dict)
    """By ``id`` of weights, learning rates of their own."""

    def __post_init__(self) -> None:
        boolean("recompile", self.recompile)
        one_of("optimizer_state", self.optimizer_state, ("carry", "fresh"))
        if not self.recompile and self.optimizer_state == "fresh":
            raise RequestError(
                "optimizer_state must be 'carry' where recompile=False, got 'fresh'",
                hint="leave one of them out: a new optimizer needs a new compile",
            )
        if not self.recompile and self.rates:
            raise RequestError(
                "recompile must be True where there is a learning_rate, got False",
                hint="leave one of them out: a learning rate needs a new compile",
            )
        require_step_count(self.step_count)

    def apply(self, model: Any, *, may_unsplit: bool = False) -> Recompiled:
        """Compile a model again, whether or not ``recompile`` is set; the caller restores it on an error."""
        return _compile(
            model,
            fresh=self.optimizer_state == "fresh",
            own_steps=self.step_count == "separate",
            may_unsplit=may_unsplit,
            rates=self.rates,
        )


def recompile(
    model: Any,
    *,
    optimizer_state: OptimizerStateChoice = "carry",
    learning_rate: Any = None,
    step_count: StepCount = "separate",
    optimizer: Any = None,
    gradient_accumulation_steps: int | None = None,
    loss_weights: Any = None,
) -> Recompiled:
    """Compile a model again for what is trainable now, with every argument that ``compile`` was called with.

    The optimizer is a new one with the same configuration, since an optimizer of Keras 3 cannot be built twice. It
    gets the old one's state: the slots of each weight, moving averages, accumulated gradients, the step count, the
    learning rate or its schedule, the loss scale. Slots of frozen weights are parked, and restored bit for bit when
    the weights are trained again.

    Args:
        model: A compiled model.
        optimizer_state: ``carry`` the optimizer's state over; or start ``fresh``, with a new optimizer from the same
            configuration that has no slots and step count 0. Parked slots are then lost.
        learning_rate: A number or a schedule that replaces the present learning rate, that of every group of weights.
        step_count: Which step count applies to weights that this optimizer has never trained, when it has taken
            steps. ``separate``: they get an optimizer of their own, which starts at step 0, within a
            GroupedOptimizer. Adam's first step is then one learning rate. This is done for optimizers that count steps
            (all but SGD, RMSprop, Lion, Adagrad, Adadelta, Ftrl), and not with a schedule or a ``global_clipnorm``,
            which apply to all weights together. ``shared``: they share the step count, and Adam's first steps are 3
            to 6 times the learning rate.
        optimizer: A new optimizer or its name in place of one with the old configuration; it has its own learning
            rate, for all weights. Slots and step count go on where the class is the same, also as the step of its
            schedule; a MultiOptimizer starts over, since each of its groups counts its own steps. The loss scale goes
            on, and a LossScaleOptimizer stays around it.
        gradient_accumulation_steps: Replaces the number of batches over which gradients are summed; 1 for none. The
            count of updates goes on, and what a partly filled window has summed is dropped.
        loss_weights: Replaces those of ``compile``.

    Raises:
        RequestError: The model is not compiled, is being trained, has several optimizers in a ``compile`` of its own,
            or two of its weights share a path, by which Keras' MultiOptimizer tells weights apart.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> _ = model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
        >>> model.layers[0].trainable = False
        >>> print(recompile(model))
        slots of 2 weights carried, 2 parked, 0 restored, 0 new
    """
    require_compiled(model)
    options = CompileOptions(optimizer_state=optimizer_state, step_count=step_count)
    if learning_rate is not None:
        learning_rate = checked_rate(learning_rate)
    require_compilable(model)
    if optimizer is not None:
        if learning_rate is not None or gradient_accumulation_steps is not None:
            raise RequestError(
                "optimizer must come without learning_rate and gradient_accumulation_steps",
                hint="pass them to the optimizer itself",
            )
        with scope_of(model):
            optimizer = checked_optimizer(optimizer)
    if gradient_accumulation_steps is not None:
        positive_integer("gradient_accumulation_steps", gradient_accumulation_steps)
        require_no_schedule(model.optimizer)
    return compile_with(
        model,
        fresh=options.optimizer_state == "fresh",
        learning_rate=learning_rate,
        own_steps=options.step_count == "separate",
        replacement=optimizer,
        accumulation_steps=gradient_accumulation_steps,
        changes={} if loss_weights is None else {"loss_weights": loss_weights},
    )


def compile_with(
    model: Any, *, fresh: bool = False, changes: Mapping[str, Any] | None = None, **options: Any
) -> Recompiled:
    """Compile a model again with a new optimizer: completely, or on any error or Ctrl-C not at all.

    Metric objects that ``compile`` was given are handed on, and reset.

    Args:
        model: A model that `require_compilable` accepts.
        fresh: Whether the new optimizer starts without state.
        changes: Arguments of ``compile`` that are not as before.
        options: See `Recompilation`.
    """
    with unchanged_on_error(model):
        return _compile(model, fresh=fresh, changes=changes, **options)


def _compile(
    model: Any, *, fresh: bool = False, changes: Mapping[str, Any] | None = None, **options: Any
) -> Recompiled:
    # Outside the scope of a MirroredStrategy, the new optimizer would get variables without replicas.
    with scope_of(model):
        work = Recompilation(model, **options)
        new, parked, report = work.fresh() if fresh else work.carried()
        compile_again(model, new, changes or {})
        park(model, parked)
        reset_metrics(model)
    note_steps(model)
    return report


@contextlib.contextmanager
def unchanged_on_error(model: Any) -> Iterator[None]:
    """On any error or Ctrl-C, a model is compiled as before, and its metrics and parked slots are those of before."""
    before, metrics, parked = ObjectStates([model], []), MetricStates(model), parked_of(model)
    with (
        restore_on_error(metrics.put_back),
        restore_on_error(lambda: park(model, parked)),
        restore_on_error(before.put_back),
    ):
        yield


def require_step_count(step_count: str) -> None:
    """Refuse another value than ``separate`` or ``shared``.

    Raises:
        RequestError: It is another value.
    """
    one_of("step_count", step_count, ("separate", "shared"))

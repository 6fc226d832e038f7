"""A new optimizer for a training loop of one's own, with the state of the old one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.training.model.compile_arguments import require_not_running, scope_of
from weightkit.training.optimizer.bare_optimizer import BareOptimizer
from weightkit.training.optimizer.parked_slots import park
from weightkit.training.optimizer.rates import checked_rate
from weightkit.training.optimizer.recompilation import Recompilation, Recompiled
from weightkit.training.optimizer.recompiling import require_step_count

if TYPE_CHECKING:
    from weightkit.training.optimizer.recompiling import StepCount


@dataclass(frozen=True, slots=True, eq=False)
class CarriedOptimizer:
    """What `carry_optimizer` made."""

    optimizer: Any
    """The new optimizer, built."""
    slots: Recompiled
    """What was done with the old one's slots."""

    def __str__(self) -> str:
        return str(self.slots)


def carry_optimizer(
    optimizer: Any, variables: Any, *, learning_rate: Any = None, step_count: StepCount = "separate"
) -> CarriedOptimizer:
    """Make a new optimizer for what is trainable now, with the old one's state, for a training loop of one's own.

    It does for an optimizer without a compiled model what `recompile` does for a compiled one. The old optimizer does
    not change. Slots of weights that are frozen now are parked beside the new one; carry that one on to restore them.
    On JAX, first assign the state of your loop to the variables of the model and the optimizer.

    Args:
        optimizer: An optimizer of Keras 3.
        variables: The model or layer whose trainable variables it will train, or a list of variables, of which it
            trains those whose flag is on. All that the old one was built on must be among them.
        learning_rate: A number or a schedule that replaces the present learning rate.
        step_count: See `recompile`.

    Returns:
        The new optimizer, and what was done with the slots, which prints. Trace functions that use the old one again.

    Raises:
        RequestError: It is not an optimizer of Keras 3, ``variables`` lack some that it was built on, or a Keras loop
            runs for them.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> adam = keras.optimizers.Adam()
        >>> weights = model.trainable_variables
        >>> adam.apply([keras.ops.ones(weight.shape) for weight in weights], weights)  # a step of your loop
        >>> model.layers[0].trainable = False
        >>> carried = carry_optimizer(adam, model)
        >>> print(carried)
        slots of 2 weights carried, 2 parked, 0 restored, 0 new
        >>> adam = carried.optimizer
    """
    require_step_count(step_count)
    rate = None if learning_rate is None else checked_rate(learning_rate)
    bare = BareOptimizer(optimizer, variables)
    require_not_running(bare, f"the optimizer of {bare.name} must not be replaced", "do it between two calls of fit")
    with scope_of(bare):
        work = Recompilation(bare, learning_rate=rate, own_steps=step_count == "separate")
        new, parked, report = work.carried()
    park(BareOptimizer(new, variables), parked)
    return CarriedOptimizer(new, report)

"""Which variable of an optimizer is which: slots, one for each trained variable, and the rest of its state.

Keras 3.15 does not say. Its optimizers have their slots in lists, parallel to the variables that they were built on
(``_momentums[i]`` belongs to ``_trainable_variables[i]``), and the rest of their state in other attributes. Both are
read here. A variable in neither place is refused: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = {
    "_iterations": "iteration",
    "_model_variables_moving_average": "average",
    "_accumulated_gradients": "gradient_accumulator",
    # Adam, RMSprop, Lion, LAMB and others; SGD and Muon have no underscore.
    "_momentums": "momentum",
    "momentums": "momentum",
    "_velocities": "velocity",
    "adam_velocities": "velocity",
    "_velocity_hats": "velocity_hat",
    "_average_gradients": "average_gradient",
    "_accumulators": "accumulator",
    "_accumulated_grads": "accumulated_grad",
    "_accumulated_delta_vars": "accumulated_delta_var",
    "_linears": "linear",
    # Adamax has `_m` and `_u`, Adafactor `_r`, `_c` and `_v`.
    "_m": "momentum",
    "_u": "norm",
    "_v": "velocity",
    "_r": "row",
    "_c": "column",
}
"""The names that Keras' optimizers give to variables in these attributes; others are named after the attribute."""
_LISTS_OF_ALL = {"_variables", "_trainable_variables"}
"""Attributes that list all variables, whatever they are for."""
AVERAGE = "average"
"""The slot with the exponential moving average of the weight (``use_ema=True``)."""
ACCUMULATOR = "gradient_accumulator"
"""The slot that sums gradients until the next update (``gradient_accumulation_steps``)."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerPart:
    """One optimizer, without the inner ones that it wraps."""

    path: str
    """Its place: empty for the outermost, else ``inner_optimizer``, ``optimizers/0``, or both, joined by ``/``."""
    optimizer: Any
    owners: tuple[Any, ...]
    """The model's variables that it was built on, in its order."""
    slots: Mapping[str, tuple[Any | None, ...]]
    """By name, one variable for each owner, in the order of ``owners``; None where an owner has no such slot."""
    state: Mapping[str, Any]
    """By name, variables that belong to no weight: ``iteration``, ``learning_rate`` unless it is a schedule,
    Nadam's ``u_product``, the loss scale's ``step_counter`` and ``dynamic_scale``."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One variable of an optimizer that belongs to one variable of the model."""

    path: str
    """The place of its optimizer, as in `OptimizerPart`."""
    optimizer: Any
    """The optimizer that has it, not one around that."""
    name: str
    owner: Any
    """The model's variable."""
    variable: Any
    """The slot itself."""


def parts_of(optimizer: Any) -> tuple[OptimizerPart, ...]:
    """An optimizer and all inner optimizers, outermost first.

    A part that has not been built has no owners and no slots.

    Raises:
        RequestError: It is not an optimizer of Keras 3, or has a variable whose role is unknown.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(2)
        >>> layer.build((None, 3))
        >>> adam = keras.optimizers.Adam()
        >>> adam.build(layer.trainable_variables)
        >>> (part,) = parts_of(adam)
        >>> sorted(part.slots), sorted(part.state)
        (['momentum', 'velocity'], ['iteration', 'learning_rate'])
        >>> part.slots["velocity"][0].shape == layer.kernel.shape
        True
    """
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise RequestError(
            f"optimizer must be an optimizer of Keras 3, got {type(optimizer).__name__}",
            hint="compile the model with one from keras.optimizers",
        )
    parts = tuple(_parts(optimizer, ""))
    _require_known_roles(optimizer, parts)
    return parts


def slots_of(optimizer: Any) -> Iterator[Slot]:
    """All slots of an optimizer and of its inner optimizers."""
    for part in parts_of(optimizer):
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is not None:
                    yield Slot(part.path, part.optimizer, name, owner, variable)


def inner_optimizers(optimizer: Any) -> dict[str, Any]:
    """The optimizers that one wraps, by their place in it."""
    inner = getattr(optimizer, "inner_optimizer", None)
    found = {} if inner is None else {"inner_optimizer": inner}
    several = getattr(optimizer, "_inner_optimizers", ())
    return found | {f"optimizers/{i}": each for i, each in enumerate(several)}


def _parts(optimizer: Any, path: str) -> Iterator[OptimizerPart]:
    owners = tuple(getattr(optimizer, "_trainable_variables", ()) if optimizer.built else ())
    slots: dict[str, tuple[Any, ...]] = {}
    state: dict[str, Any] = {}
    for attribute, value in vars(optimizer).items():
        name = _NAMES.get(attribute, attribute.removeprefix("_"))
        if isinstance(value, keras.Variable):
            state[name] = value
        elif attribute not in _LISTS_OF_ALL and _is_parallel(value, owners):
            slots[name] = tuple(value)
    yield OptimizerPart(path, optimizer, owners, slots, state)
    for place, inner in inner_optimizers(optimizer).items():
        yield from _parts(inner, f"{path}/{place}" if path else place)


def _is_parallel(value: Any, owners: tuple[Any, ...]) -> bool:
    """Whether an attribute's value is a list of slots, one for each owner."""
    if not isinstance(value, list | tuple) or len(value) != len(owners):
        return False
    # None where the optimizer needs no such slot, as Muon for what it trains without Adam.
    return any(isinstance(one, keras.Variable) for one in value) and all(
        one is None or isinstance(one, keras.Variable) for one in value
    )


def _require_known_roles(optimizer: Any, parts: tuple[OptimizerPart, ...]) -> None:
    """Each variable that the optimizer saves must be found, and found once."""
    found = [variable for part in parts for variable in part.state.values()]
    found += [one for part in parts for variables in part.slots.values() for one in variables if one is not None]
    known = {id(variable) for variable in found}
    unknown = [variable.path for variable in optimizer.variables if id(variable) not in known]
    if unknown:
        raise RequestError(
            f"{type(optimizer).__name__} must have each variable in an attribute, or in a list parallel to its "
            f"trainable variables; {len(unknown)} are elsewhere: {listed(unknown)}",
            hint="put slots in lists, one for each trainable variable, in their order, as Keras' optimizers do",
        )
    if len(known) != len(found):
        raise RequestError(
            f"{type(optimizer).__name__} must have each variable under one name, and has one under two names",
            hint="store each variable in one attribute",
        )

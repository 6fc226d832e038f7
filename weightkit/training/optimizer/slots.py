"""Which variable of an optimizer is which: slots of the model's variables, and state that is no variable's.

Keras names no roles. An optimizer of Keras keeps its slots in lists beside the variables that it was built on
(``_momentums[i]`` belongs to ``_trainable_variables[i]``), and the rest of its state in attributes of its own; both are
read here, and whatever is left over is refused, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = {
    "_iterations": "iteration",
    "_model_variables_moving_average": "average",
    "_accumulated_gradients": "gradient_accumulator",
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
    "_m": "momentum",
    "_u": "norm",
    "_v": "velocity",
    "_r": "row",
    "_c": "column",
}
"""What Keras' optimizers call the variables that they keep in these attributes; others go by the attribute's name."""
_BOOKS = {"_variables", "_trainable_variables"}
"""Lists of all variables, whatever they are for."""
AVERAGE = "average"
"""The slot in which an exponential moving average of the weight is kept."""
ACCUMULATOR = "gradient_accumulator"
"""The slot in which gradients wait for the step that takes them all."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerPart:
    """One optimizer, without those that it wraps."""

    path: str
    """Where it is: empty for the outermost, else ``inner_optimizer``, ``optimizers/0``, or both, joined by ``/``."""
    optimizer: Any
    owners: tuple[Any, ...]
    """The model's variables that it was built on, in its order."""
    slots: Mapping[str, tuple[Any | None, ...]]
    """By name, one variable for each owner, in the owners' order; None where an owner has no such slot."""
    state: Mapping[str, Any]
    """By name, variables that belong to no owner: ``iteration``, ``learning_rate`` unless it is a schedule,
    Nadam's ``u_product``, the loss scale's ``step_counter`` and ``dynamic_scale``."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One variable that an optimizer keeps for a variable of the model."""

    path: str
    """Of the part of the optimizer that keeps it."""
    name: str
    owner: Any
    variable: Any


def parts_of(optimizer: Any) -> tuple[OptimizerPart, ...]:
    """An optimizer and all that it wraps, outermost first.

    A part that has not been built has no owners and no slots.

    Raises:
        RequestError: It is none of Keras', or has a variable of which nothing tells what it is.

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
            f"a {type(optimizer).__name__} is no optimizer of Keras 3", hint="compile the model with one of those"
        )
    parts = tuple(_parts(optimizer, ""))
    _require_all_told(optimizer, parts)
    return parts


def slots_of(optimizer: Any) -> Iterator[Slot]:
    """All slots of an optimizer and of those that it wraps."""
    for part in parts_of(optimizer):
        for name, variables in part.slots.items():
            for owner, variable in zip(part.owners, variables, strict=True):
                if variable is not None:
                    yield Slot(part.path, name, owner, variable)


def inner_optimizers(optimizer: Any) -> dict[str, Any]:
    """The optimizers that one wraps, by where they are in it."""
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
        elif attribute not in _BOOKS and _is_parallel(value, owners):
            slots[name] = tuple(value)
    yield OptimizerPart(path, optimizer, owners, slots, state)
    for place, inner in inner_optimizers(optimizer).items():
        yield from _parts(inner, f"{path}/{place}" if path else place)


def _is_parallel(value: Any, owners: tuple[Any, ...]) -> bool:
    """Whether an attribute's value is a list of slots, one for each owner."""
    if not isinstance(value, list | tuple) or len(value) != len(owners):
        return False
    return any(isinstance(one, keras.Variable) for one in value) and all(
        one is None or isinstance(one, keras.Variable) for one in value
    )


def _require_all_told(optimizer: Any, parts: tuple[OptimizerPart, ...]) -> None:
    """Each variable that the optimizer would save must have been found, and found once."""
    found = [variable for part in parts for variable in part.state.values()]
    found += [one for part in parts for variables in part.slots.values() for one in variables if one is not None]
    told = {id(variable) for variable in found}
    untold = [variable.path for variable in optimizer.variables if id(variable) not in told]
    if untold:
        raise RequestError(
            f"{type(optimizer).__name__} keeps {len(untold)} variables in no attribute and in no list beside its "
            f"trainable variables, so that nothing tells whose they are ({', '.join(untold[:3])})",
            hint="keep slots in lists, one for each variable it is built on, in their order, as Keras' own do",
        )
    if len(told) != len(found):
        raise RequestError(
            f"{type(optimizer).__name__} keeps a variable under two names, so that nothing tells what it is",
            hint="keep each variable in one attribute",
        )

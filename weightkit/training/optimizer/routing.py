"""Which optimizer trains which variable, and a separate optimizer for weights that need their own step count.

Adam and similar optimizers divide by ``1 - beta ** step`` to correct for slots that start at zero (Kingma and Ba 2015,
algorithm 1). For slots that start at zero at a large step, the correction is too small: with ``beta_1 = 0.9`` and
``beta_2 = 0.999`` the first step of such a weight is ``(1 - beta_1) / sqrt(1 - beta_2) = 3.2`` times the learning rate,
and the next ones are up to 6.6 times. With their own step count, such weights take the steps of a new optimizer.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.training.optimizer.grouped import GroupedOptimizer, has_settable_rate
from weightkit.training.optimizer.other_optimizers import with_inner
from weightkit.training.optimizer.slot_values import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.training.optimizer.clones import Clones

_WITHOUT_STEPS = ("SGD", "RMSprop", "Lion", "Adagrad", "Adadelta", "Ftrl")
"""Optimizers whose steps do not depend on the step count."""
CANNOT_SPLIT = "a schedule or a global_clipnorm applies to all weights, so they cannot count their own steps"
"""What messages say where `can_split` is False."""


def counts_steps(optimizer: Any) -> bool:
    """Whether an optimizer's steps depend on the step count; a user's own class counts as one whose steps do."""
    plain = tuple(getattr(keras.optimizers, name) for name in _WITHOUT_STEPS)
    return not isinstance(optimizer, plain)


def has_stepped(optimizer: Any) -> bool:
    """Whether the step count is above zero."""
    return bool(values_of(optimizer._iterations) > 0)  # noqa: SLF001  # Keras 3.15 divides `iterations` by the accumulation steps


def needs_own_steps(optimizer: Any) -> bool:
    """Whether slots that start at zero now need a step count that starts at zero too."""
    return counts_steps(optimizer) and has_stepped(optimizer)


def can_split(optimizer: Any) -> bool:
    """Whether some weights can have a separate optimizer without changing the training of the others.

    A separate optimizer would restart a schedule, and clip the norm of its own gradients, not of all of them.
    """
    return has_settable_rate(optimizer) and optimizer.global_clipnorm is None


def routes(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """For each variable, the inner optimizer that trains it, or would train it."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return routes(optimizer.inner_optimizer, variables)
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return [optimizer] * len(variables)
    # Keras makes the table of routes when it builds the optimizer.
    known = getattr(optimizer, "_var_to_optimizer_idx", {})
    found = []
    for variable in variables:
        place = known.get(optimizer._var_key(variable))  # noqa: SLF001
        found.append(optimizer._optimizer_map(variable) if place is None else optimizer._inner_optimizers[place])  # noqa: SLF001
    return found


def split(optimizer: Any, clones: Clones, variables: Sequence[Any], apart: Sequence[Any], root: str) -> Any:
    """A new optimizer in which some variables have separate optimizers, one for each group.

    Args:
        optimizer: The old one.
        clones: Makes the new ones inside it.
        variables: All variables of the model that can be trained.
        apart: Those of them that get separate optimizers.
        root: The name of the model, which Keras puts before some variable paths.

    Raises:
        RequestError: Variables with different optimizers share a path, by which MultiOptimizer tells them apart.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = _split(optimizer.inner_optimizer, clones, variables, apart, root=root, kind=GroupedOptimizer)
        return _scaled(optimizer, clones, inner)
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    # A user's own class stays where callbacks can read its rates.
    kind = type(optimizer) if several else GroupedOptimizer
    return _split(optimizer, clones, variables, apart, root=root, kind=kind)


def _split(
    optimizer: Any, clones: Clones, variables: Sequence[Any], apart: Sequence[Any], *, root: str, kind: Any
) -> Any:
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    groups = _groups(optimizer, clones, variables, apart)
    default = clones.of(_default(optimizer))
    patterns = {_pattern(members, root): each for each, members in groups if each is not default}
    _require_distinct_paths(groups, root)
    scale = optimizer.loss_scale_factor
    known = keras.optimizers.OptimizerMap(default, patterns)
    name = optimizer.name if several else None
    made = kind(known, loss_scale_factor=scale, name=name)
    if several:
        clones.add(optimizer, made)
    else:
        clones.wrapped.append((optimizer, made))
    return made


def unsplit(optimizer: Any, clones: Clones) -> Any:
    """A new optimizer that reverses `split`: the single one that the MultiOptimizer was made from."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _scaled(optimizer, clones, unsplit(optimizer.inner_optimizer, clones))
    return clones.of(_default(optimizer))


def is_split_off(optimizer: Any, variable: Any) -> bool:
    """Whether a variable has another optimizer than the default one."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return is_split_off(optimizer.inner_optimizer, variable)
    return routes(optimizer, [variable])[0] is not _default(optimizer)


def routes_by_function(optimizer: Any) -> bool:
    """Whether a user's function assigns variables to optimizers; it would assign them to the old ones again."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return routes_by_function(optimizer.inner_optimizer)
    return isinstance(optimizer, keras.optimizers.MultiOptimizer) and not isinstance(
        optimizer._optimizer_map,  # noqa: SLF001  # Keras 3.15 has no public accessor
        keras.optimizers.OptimizerMap,
    )


def _scaled(optimizer: Any, clones: Clones, inner: Any) -> Any:
    """A new LossScaleOptimizer with the old one's settings, around another optimizer."""
    made = type(optimizer)(
        inner,
        initial_scale=optimizer.initial_scale,
        dynamic_growth_steps=optimizer.dynamic_growth_steps,
        name=optimizer.name,
    )
    clones.add(optimizer, made)
    return made


def _groups(
    optimizer: Any, clones: Clones, variables: Sequence[Any], apart: Sequence[Any]
) -> list[tuple[Any, list[Any]]]:
    apart_ids, taken = {id(variable) for variable in apart}, {one.name for one in with_inner(optimizer)}
    groups: dict[tuple[int, bool], tuple[Any, list[Any]]] = {}
    for variable, old in zip(variables, routes(optimizer, variables), strict=True):
        key = (id(old), id(variable) in apart_ids)
        if key not in groups:
            # `another` gets no state of the old optimizer, so that its step count starts at zero.
            groups[key] = (clones.another(old, _new_name(old.name, taken)) if key[1] else clones.of(old), [])
        groups[key][1].append(variable)
    return list(groups.values())


def _new_name(name: str, taken: set[str]) -> str:
    """A name that no other optimizer has, numbered as Keras does; it is then taken."""
    stem = re.sub(r"_\d+$", "", name)
    new = next(one for number in itertools.count(1) if (one := f"{stem}_{number}") not in taken)
    taken.add(new)
    return new


def _default(optimizer: Any) -> Any:
    """The optimizer of variables that match no pattern."""
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return optimizer
    known = optimizer._optimizer_map  # noqa: SLF001
    # A user's function has no default: any will do, since variables of the others get patterns.
    return getattr(known, "default_optimizer", None) or optimizer._inner_optimizers[0]  # noqa: SLF001


def _pattern(variables: Sequence[Any], root: str) -> str:
    """One regular expression for the paths of these variables, with or without the model's name before them.

    Keras 3.15 puts the name of a Sequential before the paths of its variables when the model is loaded, and not when
    it is made from a list with an Input.
    """
    known = (re.escape(variable.path.removeprefix(f"{root}/")) for variable in variables)
    return f"(?:{re.escape(root)}/)?(?:{'|'.join(known)})"


def _require_distinct_paths(groups: Sequence[tuple[Any, list[Any]]], root: str) -> None:
    """Refuse a variable that matches the pattern of another group."""
    patterns = [re.compile(_pattern(members, root)) for _, members in groups]
    for place, (_, members) in enumerate(groups):
        for variable in members:
            # OptimizerMap of Keras 3.15 uses `fullmatch` too.
            if any(pattern.fullmatch(variable.path) for i, pattern in enumerate(patterns) if i != place):
                raise RequestError(
                    f"weights with different optimizers must have different paths, got {variable.path} twice: "
                    "Keras' MultiOptimizer tells weights apart by their paths alone",
                    hint='give the layers unique names, or pass step_count="shared"',
                )

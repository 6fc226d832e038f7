"""Which optimizer trains which variable, and a separate optimizer for weights that need their own step count.

Adam and similar optimizers divide by ``1 - beta ** step`` to correct for slots that start at zero (Kingma and Ba 2015,
algorithm 1). For slots that start at zero at a large step, the correction is too small: with ``beta_1 = 0.9`` and
``beta_2 = 0.999`` the first step of such a weight is ``(1 - beta_1) / sqrt(1 - beta_2) = 3.2`` times the learning rate,
and the next ones are up to 6.6 times. With their own step count, such weights take the steps of a new optimizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.training.optimizer.clones import scaled_around
from weightkit.training.optimizer.grouped import GroupedOptimizer, has_settable_rate
from weightkit.training.optimizer.grouping import groups_of, names_for, patterns_of
from weightkit.training.optimizer.other_optimizers import with_inner
from weightkit.training.optimizer.slot_values import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.training.optimizer.clones import Clones
    from weightkit.training.optimizer.grouping import Division

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


def can_split(optimizer: Any, rate: Any = None) -> bool:
    """Whether some weights can have a separate optimizer without changing the training of the others.

    A separate optimizer would restart a schedule, and clip the norm of its own gradients, not of all of them.

    Args:
        optimizer: The one that would train them.
        rate: The learning rate that they get in place of its own.
    """
    is_number = has_settable_rate(optimizer) if rate is None else isinstance(rate, float)
    return is_number and optimizer.global_clipnorm is None


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


def split(optimizer: Any, clones: Clones, division: Division, *, unsplits: bool = False) -> Any:
    """A new optimizer that divides the variables between one optimizer for each group; a single one for one group.

    Args:
        optimizer: The old one.
        clones: Makes the new ones inside it.
        division: How to divide them.
        unsplits: Whether what was split off is first given back to the default optimizer.

    Raises:
        RequestError: Variables with different optimizers share a path, or as `groups_of` does.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return scaled_like(
            optimizer, clones, _split(optimizer.inner_optimizer, clones, division, GroupedOptimizer, unsplits)
        )
    # A user's own class stays where callbacks can read its rates.
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer) and not division.rates
    return _split(optimizer, clones, division, type(optimizer) if several else GroupedOptimizer, unsplits)


def _split(optimizer: Any, clones: Clones, division: Division, kind: Any, unsplits: bool) -> Any:
    default = default_of(optimizer)
    sources = [default] * len(division.variables) if unsplits else routes(optimizer, division.variables)
    default = sources[0] if default is None else default
    groups = groups_of(division, sources)
    if division.rates and len(groups) == 1:
        return groups[0].optimizer(clones, groups[0].source.name)
    kept = [one.source for one in groups if one.is_unchanged]
    taken = {one.name for one in (kept if division.rates else with_inner(optimizer))}
    made = [one.optimizer(clones, name) for one, name in zip(groups, names_for(groups, taken), strict=True)]
    default = clones.of(default) if not division.rates or any(one is default for one in kept) else made[0]
    patterns = dict(zip(patterns_of(groups, division.root), made, strict=True))
    known = keras.optimizers.OptimizerMap(default, {key: one for key, one in patterns.items() if one is not default})
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    new = kind(known, loss_scale_factor=optimizer.loss_scale_factor, name=optimizer.name if several else None)
    if several:
        clones.add(optimizer, new)
    else:
        clones.wrapped.append((optimizer, new))
    return new


def unsplit(optimizer: Any, clones: Clones) -> Any:
    """A new optimizer that reverses `split`: the single one that the MultiOptimizer was made from."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return scaled_like(optimizer, clones, unsplit(optimizer.inner_optimizer, clones))
    return clones.of(default_of(optimizer))


def is_split_off(optimizer: Any, variable: Any) -> bool:
    """Whether a variable has another optimizer than the default one."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return is_split_off(optimizer.inner_optimizer, variable)
    return routes(optimizer, [variable])[0] is not default_of(optimizer)


def routes_by_function(optimizer: Any) -> bool:
    """Whether a user's function assigns variables to optimizers; it would assign them to the old ones again."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return routes_by_function(optimizer.inner_optimizer)
    return isinstance(optimizer, keras.optimizers.MultiOptimizer) and not isinstance(
        optimizer._optimizer_map,  # noqa: SLF001  # Keras 3.15 has no public accessor
        keras.optimizers.OptimizerMap,
    )


def scaled_like(optimizer: Any, clones: Clones, inner: Any) -> Any:
    """A new LossScaleOptimizer with the old one's settings, around another optimizer."""
    made = scaled_around(inner, optimizer)
    clones.add(optimizer, made)
    return made


def default_of(optimizer: Any) -> Any:
    """The optimizer of variables that match no pattern; None where a user's function has not chosen any yet."""
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return optimizer
    known = optimizer._optimizer_map  # noqa: SLF001
    # A user's function has no default: any will do, since variables of the others get patterns.
    return getattr(known, "default_optimizer", None) or next(iter(optimizer._inner_optimizers), None)  # noqa: SLF001

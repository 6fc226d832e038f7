"""Which optimizer trains which variable, and an optimizer of their own for those that come late.

Adam and its kin divide by ``1 - beta ** step`` to make up for slots that began at zero (Kingma and Ba 2015, algorithm
1). Slots that begin at zero when the step is large are not made up for: with ``beta_1 = 0.9``, ``beta_2 = 0.999`` the
first step of such a weight is ``(1 - beta_1) / sqrt(1 - beta_2) = 3.2`` times the learning rate, and the next ones
reach 6.6 times. With a step count of their own, they take the steps of a new optimizer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.optimizer.memory import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.training.optimizer.cloning import Clones

_WITHOUT_STEPS = ("SGD", "RMSprop", "Lion", "Adagrad", "Adadelta", "Ftrl")
"""Optimizers whose steps do not depend on how many went before."""
TOGETHER = "a schedule or a global_clipnorm goes over all weights, which cannot count their own"
"""Why weights share a step count that comes late for them, where `may_part` says no."""


def counts_steps(optimizer: Any) -> bool:
    """Whether an optimizer's steps depend on their number, or may: of a user's own class nothing is known."""
    plain = tuple(getattr(keras.optimizers, name) for name in _WITHOUT_STEPS)
    return not isinstance(optimizer, plain)


def has_stepped(optimizer: Any) -> bool:
    """Whether it has counted a step."""
    return bool(values_of(optimizer._iterations) > 0)  # noqa: SLF001  # `iterations` is divided under accumulation


def is_late_for(optimizer: Any) -> bool:
    """Whether slots that begin at zero now would come late for an optimizer."""
    return counts_steps(optimizer) and has_stepped(optimizer)


def may_part(optimizer: Any) -> bool:
    """Whether some weights can have an optimizer of their own and all else stays as it is.

    A schedule would begin again for them, and a norm over all gradients be taken over each part.
    """
    rate = optimizer._learning_rate  # noqa: SLF001  # `learning_rate` is the present number
    return isinstance(rate, keras.Variable) and optimizer.global_clipnorm is None


def routes(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """For each variable, the optimizer within this one that trains it, or would."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return routes(optimizer.inner_optimizer, variables)
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return [optimizer] * len(variables)
    known = getattr(optimizer, "_var_to_optimizer_idx", {})
    found = []
    for variable in variables:
        place = known.get(optimizer._var_key(variable))  # noqa: SLF001
        found.append(optimizer._optimizer_map(variable) if place is None else optimizer.optimizers[place])  # noqa: SLF001
    return found


def split(optimizer: Any, clones: Clones, variables: Sequence[Any], late: Sequence[Any], root: str) -> Any:
    """A new optimizer in which variables that come late have optimizers of their own, one for each group.

    Args:
        optimizer: The old one.
        clones: Makes the new ones inside it.
        variables: All variables of the model that could be trained.
        late: Those of them that come late.
        root: The name of the model: some paths begin with it, and after loading others do.

    Raises:
        RequestError: Two variables have one path, so that Keras' MultiOptimizer could not tell them apart.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = split(optimizer.inner_optimizer, clones, variables, late, root)
        return _scaled(optimizer, clones, inner)
    several = isinstance(optimizer, keras.optimizers.MultiOptimizer)
    groups = _groups(optimizer, clones, variables, late)
    default = clones.of(_default(optimizer))
    patterns = {_pattern(members, root): each for each, members in groups if each is not default}
    _require_told_apart(groups, root)
    scale = optimizer.loss_scale_factor
    known = keras.optimizers.OptimizerMap(default, patterns)
    name = optimizer.name if several else None
    made = keras.optimizers.MultiOptimizer(known, loss_scale_factor=scale, name=name)
    if several:
        clones.note(optimizer, made)
    else:
        clones.wrapped.append((optimizer, made))
    return made


def joined(optimizer: Any, clones: Clones) -> Any:
    """A new optimizer without what `split` has made around a single one."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _scaled(optimizer, clones, joined(optimizer.inner_optimizer, clones))
    return clones.of(_default(optimizer))


def parted_off(optimizer: Any, variable: Any) -> bool:
    """Whether a variable has another optimizer within this one than those of which nothing is said."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return parted_off(optimizer.inner_optimizer, variable)
    return routes(optimizer, [variable])[0] is not _default(optimizer)


def several_by_call(optimizer: Any) -> bool:
    """Whether variables are handed out by a function, which would hand out the old optimizers again."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return several_by_call(optimizer.inner_optimizer)
    return isinstance(optimizer, keras.optimizers.MultiOptimizer) and not isinstance(
        optimizer._optimizer_map,  # noqa: SLF001  # Keras has no other way to ask
        keras.optimizers.OptimizerMap,
    )


def _scaled(optimizer: Any, clones: Clones, inner: Any) -> Any:
    """A new LossScaleOptimizer as the old one, around another optimizer."""
    made = type(optimizer)(
        inner,
        initial_scale=optimizer.initial_scale,
        dynamic_growth_steps=optimizer.dynamic_growth_steps,
        name=optimizer.name,
    )
    clones.note(optimizer, made)
    return made


def _groups(
    optimizer: Any, clones: Clones, variables: Sequence[Any], late: Sequence[Any]
) -> list[tuple[Any, list[Any]]]:
    late_ids = {id(variable) for variable in late}
    groups: dict[tuple[int, bool], tuple[Any, list[Any]]] = {}
    for variable, old in zip(variables, routes(optimizer, variables), strict=True):
        key = (id(old), id(variable) in late_ids)
        if key not in groups:
            groups[key] = (clones.again(old) if key[1] else clones.of(old), [])
        groups[key][1].append(variable)
    return list(groups.values())


def _default(optimizer: Any) -> Any:
    """The optimizer of what nothing else is said of."""
    if not isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return optimizer
    known = optimizer._optimizer_map  # noqa: SLF001
    return getattr(known, "default_optimizer", None) or optimizer.optimizers[0]


def _pattern(variables: Sequence[Any], root: str) -> str:
    """One expression for the paths of these variables, with the model's name before them or not.

    Keras 3.15 puts the name of a Sequential before the paths of its variables when it is loaded, and not when it is
    made from a list with an Input.
    """
    known = (re.escape(variable.path.removeprefix(f"{root}/")) for variable in variables)
    return f"(?:{re.escape(root)}/)?(?:{'|'.join(known)})"


def _require_told_apart(groups: Sequence[tuple[Any, list[Any]]], root: str) -> None:
    """Each variable must be matched by the expression of its own group alone."""
    patterns = [re.compile(_pattern(members, root)) for _, members in groups]
    for place, (_, members) in enumerate(groups):
        for variable in members:
            if any(pattern.fullmatch(variable.path) for i, pattern in enumerate(patterns) if i != place):
                raise RequestError(
                    f"{escape(variable.path)} is the path of weights that are to have different optimizers, and Keras' "
                    "MultiOptimizer tells weights apart by their paths alone",
                    hint='give the layers unique names, or pass unfrozen_slots="keep"',
                )

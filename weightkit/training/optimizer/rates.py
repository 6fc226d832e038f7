"""The learning rate at which each weight is trained now, however many optimizers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy

if TYPE_CHECKING:
    from collections.abc import Iterable


def learning_rates(optimizer: Any, variables: Iterable[Any]) -> dict[int, float]:
    """The learning rate of each variable, by its ``id``; of a schedule, that of the present step.

    Args:
        optimizer: A model's optimizer; with None nothing has a rate.
        variables: The variables that it is to train.

    Returns:
        Those variables whose rate is known: a MultiOptimizer that chooses by a function of the user's own tells
        nothing before it is built.
    """
    if optimizer is None:
        return {}
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:  # LossScaleOptimizer has a rate of its own that means nothing
        return learning_rates(inner, variables)
    if hasattr(optimizer, "optimizers"):
        chosen = [(variable, _chosen(optimizer, variable)) for variable in variables]
        rates = {id(one): _rate(one) for _, one in chosen if one is not None}
        return {id(variable): rates[id(one)] for variable, one in chosen if one is not None}
    rate = _rate(optimizer)
    return {id(variable): rate for variable in variables}


def _chosen(multi: Any, variable: Any) -> Any:
    """The optimizer of a MultiOptimizer that trains a variable; None where that is not decided yet."""
    if multi.built:
        index = multi._var_to_optimizer_idx.get(multi._var_key(variable))  # noqa: SLF001  # no other way to ask
        return None if index is None else multi.optimizers[index]
    chooser = multi._optimizer_map  # noqa: SLF001
    return chooser(variable) if hasattr(chooser, "default_optimizer") else None  # a function may make new ones


def _rate(optimizer: Any) -> float:
    rate = optimizer.learning_rate
    return float(np.asarray(as_numpy(getattr(rate, "value", rate))))

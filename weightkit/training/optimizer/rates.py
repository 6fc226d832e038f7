"""The present learning rate of each weight, with one optimizer or several."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.access.live import as_numpy
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LARGEST = float(np.finfo(np.float32).max)


def present_rates(optimizer: Any, variables: Iterable[Any]) -> dict[int, float]:
    """The learning rate of each variable, by its ``id``; with a schedule, the rate of the present step.

    Args:
        optimizer: A model's optimizer, or None.
        variables: The variables that it trains.

    Returns:
        The rates that are known: a MultiOptimizer that routes variables by a function is unknown before it is built.
    """
    if optimizer is None:
        return {}
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:  # LossScaleOptimizer has a learning rate that Keras never uses
        return present_rates(inner, variables)
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        chosen = [(variable, _chosen(optimizer, variable)) for variable in variables]
        # Once for each optimizer, since a schedule computes its rate when it is read.
        rates = {id(one): rate_of(one) for _, one in chosen if one is not None}
        return {id(variable): rates[id(one)] for variable, one in chosen if one is not None}
    rate = rate_of(optimizer)
    return {id(variable): rate for variable in variables}


def _chosen(multi: Any, variable: Any) -> Any:
    """The inner optimizer that trains a variable; None where the MultiOptimizer is not built yet."""
    if multi.built:
        index = multi._var_to_optimizer_idx.get(multi._var_key(variable))  # noqa: SLF001  # Keras 3.15 has no public accessor
        return None if index is None else multi._inner_optimizers[index]  # noqa: SLF001
    chooser = multi._optimizer_map  # noqa: SLF001
    return chooser(variable) if hasattr(chooser, "default_optimizer") else None  # a function may make a new optimizer


def rate_of(optimizer: Any) -> float:
    """The present learning rate of a single optimizer; with a schedule, that of the present step."""
    rate = optimizer.learning_rate
    return float(np.asarray(as_numpy(getattr(rate, "value", rate))))


def checked_rate(value: Any, what: str = "learning_rate") -> Any:
    """A learning rate as a Python number, which a configuration can save, or a schedule as it is.

    Args:
        value: A number, a schedule, or a function without arguments.
        what: What messages call it.

    Raises:
        RequestError: It is none of these, or a number that float32, the dtype of Keras' learning rates, cannot have.
    """
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) or callable(value):
        return value
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)  # `np.bool_` is not a Real
    if not is_number or not 0 <= float(value) <= _LARGEST:
        hint = "for a rate for each selection, call learning_rates" if isinstance(value, Mapping) else ""
        raise RequestError(f"{what} must be a finite number >= 0 or a schedule, got {value!r}", hint=hint)
    return float(value)

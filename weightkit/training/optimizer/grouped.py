"""An optimizer for groups of weights that has one learning rate, which Keras' callbacks read and set."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.optimizer.rates import rate_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUNDING = 1e-6
"""The largest relative difference by which float32 rounds a rate."""


@keras.saving.register_keras_serializable(package="weightkit")
class GroupedOptimizer(keras.optimizers.MultiOptimizer):  # type: ignore[misc]  # Keras has no types
    """Keras' MultiOptimizer with a ``learning_rate``: the highest of the groups that train something.

    Setting it multiplies the rate of every group by the same factor, so that the ratios between the groups stay. A
    rate of zero keeps them too. ``ReduceLROnPlateau``, ``LearningRateScheduler`` and ``TensorBoard`` treat it like a
    single optimizer, inside a LossScaleOptimizer as well, and log ``learning_rate``.

    Keras' callbacks set each inner optimizer by itself where an optimizer has the attribute ``optimizers``, and fail
    where a LossScaleOptimizer hides it (Keras 3.15). This class has ``inner_optimizers`` in its place.

    Args:
        optimizer_map: An ``OptimizerMap``, or a function from a variable to its optimizer.
        loss_scale_factor: As for MultiOptimizer.
        name: The name of the optimizer.
        proportions: The rates of the inner optimizers that say their ratios while all rates are zero; the present
            rates by default.
    """

    def __init__(
        self,
        optimizer_map: Any,
        loss_scale_factor: float | None = None,
        name: str | None = None,
        proportions: Sequence[float] | None = None,
    ) -> None:
        super().__init__(optimizer_map, loss_scale_factor=loss_scale_factor, name=name)
        self._proportions = tuple(self._rates() if proportions is None else proportions)

    @property
    def inner_optimizers(self) -> list[Any]:
        """The optimizers of the groups."""
        return list(self._inner_optimizers)

    @property
    def optimizers(self) -> list[Any]:
        """Hidden from Keras' callbacks, which would set each group by itself."""
        raise AttributeError("a GroupedOptimizer has inner_optimizers in place of optimizers")

    @property
    def learning_rate(self) -> Any:
        """The highest rate of the groups that train something, as a tensor."""
        return functools.reduce(keras.ops.maximum, [one.learning_rate for one in self._active()], 0.0)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        fixed = [one.name for one in self._inner_optimizers if not has_settable_rate(one)]
        if fixed or callable(value):
            reason = f"{listed(fixed)} follow a schedule" if fixed else f"got {type(value).__name__}"
            raise RequestError(
                f"the learning_rate of groups of weights must be set to a number, from numbers: {reason}",
                hint="set each of optimizer.inner_optimizers, or call weightkit.training.learning_rates",
            )
        highest = float(keras.ops.convert_to_numpy(value))
        proportions = self.proportions()
        active = {id(one) for one in self._active()}
        pairs = list(zip(self._inner_optimizers, proportions, strict=True))
        unit = max(part for one, part in pairs if id(one) in active)
        for one, part in pairs:
            one.learning_rate = highest * (part / unit if unit else 1.0)
        self._proportions = proportions

    @property
    def _model_variables_moving_average(self) -> list[Any]:
        """What ``SwapEMAWeights`` of Keras 3.15 reads of a single optimizer: a moving average for each variable."""
        averages = {
            id(variable): average
            for one in self._inner_optimizers
            if one.built
            for variable, average in zip(
                one._trainable_variables,  # noqa: SLF001
                one._model_variables_moving_average,  # noqa: SLF001
                strict=True,
            )
        }
        return [averages[id(variable)] for variable in self._trainable_variables]

    def proportions(self) -> tuple[float, ...]:
        """A rate for each inner optimizer: the present ones, or earlier ones of the same ratios."""
        now, earlier = self._rates(), self._proportions
        if len(now) != len(earlier) or not max(earlier, default=0.0):
            return now
        scaled = np.asarray(earlier) * (max(now) / max(earlier))
        return earlier if np.allclose(now, scaled, rtol=_ROUNDING, atol=0) else now

    def get_config(self) -> dict[str, Any]:
        """The configuration of MultiOptimizer, with the proportions."""
        return {**super().get_config(), "proportions": list(self.proportions())}

    def _rates(self) -> tuple[float, ...]:
        return tuple(map(rate_of, self._inner_optimizers))

    def _active(self) -> list[Any]:
        """The inner optimizers that train something; all of them before they are built."""
        return [one for one in self._inner_optimizers if one.built] or self._inner_optimizers


def has_settable_rate(optimizer: Any) -> bool:
    """Whether the learning rate of a single optimizer is a number, not a schedule or a function."""
    return isinstance(optimizer._learning_rate, keras.Variable)  # noqa: SLF001  # `learning_rate` computes schedules

"""A new optimizer from an old one: the same configuration and schedule, none of the state, built on nothing."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from weightkit.errors import RequestError

_UNSAVED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
"""What `exclude_from_weight_decay` sets, which no configuration of Keras 3.15 has."""


class Clones:
    """Optimizers made from others, each made once, so that what was shared is shared again."""

    def __init__(self, learning_rate: Any = None) -> None:
        """Start with none; a ``learning_rate``, a number or a schedule, replaces that of each."""
        self._learning_rate = learning_rate
        self._made: dict[int, tuple[Any, Any]] = {}
        self.wrapped: list[tuple[Any, Any]] = []
        """Old optimizers with the MultiOptimizers that were made around their new ones."""

    def pairs(self) -> list[tuple[Any, Any]]:
        """Every old optimizer with the new one."""
        return list(self._made.values())

    def of(self, optimizer: Any) -> Any:
        """The new optimizer for an old one, with new ones inside where it wraps others.

        Raises:
            RequestError: Its configuration does not give an optimizer.
        """
        if id(optimizer) not in self._made:
            self._made[id(optimizer)] = (optimizer, self._clone(optimizer))
        return self._made[id(optimizer)][1]

    def again(self, optimizer: Any) -> Any:
        """One more from the same configuration, which takes no state from the old one."""
        return self._plain(optimizer)

    def note(self, old: Any, new: Any) -> None:
        """Take a pair that was made elsewhere."""
        self._made[id(old)] = (old, new)

    def _clone(self, optimizer: Any) -> Any:
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return type(optimizer)(
                self.of(optimizer.inner_optimizer),
                initial_scale=optimizer.initial_scale,
                dynamic_growth_steps=optimizer.dynamic_growth_steps,
                name=optimizer.name,
            )
        if isinstance(optimizer, keras.optimizers.MultiOptimizer):
            return self._several(optimizer)
        return self._plain(optimizer)

    def _several(self, optimizer: Any) -> Any:
        known = optimizer._optimizer_map  # noqa: SLF001  # Keras has no other way to ask
        if isinstance(known, keras.optimizers.OptimizerMap):
            patterns = {pattern: self.of(each) for pattern, each in known._optimizer_map.items()}  # noqa: SLF001
            known = keras.optimizers.OptimizerMap(self.of(known.default_optimizer), patterns)
        return type(optimizer)(known, loss_scale_factor=optimizer.loss_scale_factor, name=optimizer.name)

    def _plain(self, optimizer: Any) -> Any:
        rate = optimizer._learning_rate  # noqa: SLF001  # `learning_rate` is the present number
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a rate that is a lambda, which is passed on as it is
                config = optimizer.get_config()
                if self._learning_rate is not None:
                    config["learning_rate"] = self._learning_rate
                elif not isinstance(rate, keras.Variable):
                    config["learning_rate"] = rate
                made = type(optimizer).from_config(config)
        except Exception as error:
            raise RequestError(
                f"{type(optimizer).__name__} cannot be made again from its configuration: {error}",
                hint="give its class a get_config with all arguments of its __init__",
            ) from error
        for name in _UNSAVED:
            if hasattr(optimizer, name):
                setattr(made, name, getattr(optimizer, name))
        return made

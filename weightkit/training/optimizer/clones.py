"""New optimizers from old ones: the same configuration and schedule, without state, not built."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from weightkit.errors import RequestError
from weightkit.training.optimizer.grouped import GroupedOptimizer

UNSAVED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
"""What `exclude_from_weight_decay` sets; in Keras 3.15 `get_config` leaves it out."""


class Clones:
    """New optimizers from old ones. Each is made once, so that shared optimizers stay shared."""

    def __init__(self, learning_rate: Any = None, accumulation_steps: int | None = None) -> None:
        """Start with none; ``learning_rate`` and ``accumulation_steps`` replace those of each."""
        self._accumulation_steps = accumulation_steps
        self._learning_rate = learning_rate
        self._made: dict[int, tuple[Any, Any]] = {}
        self._copies: list[tuple[Any, Any]] = []
        self.rates: list[tuple[Any, Any]] = []
        """New optimizers, each with a learning rate that it does not have from the old one."""
        self.wrapped: list[tuple[Any, Any]] = []
        """Old optimizers, each with the MultiOptimizer that was made around its new one."""

    def pairs(self) -> list[tuple[Any, Any]]:
        """Every old optimizer with the new one."""
        return [*self._made.values(), *self._copies]

    def of(self, optimizer: Any) -> Any:
        """The new optimizer for an old one, with new ones inside where it wraps others.

        Raises:
            RequestError: It cannot be made from its configuration.
        """
        if id(optimizer) not in self._made:
            self._made[id(optimizer)] = (optimizer, self._clone(optimizer))
        return self._made[id(optimizer)][1]

    def another(self, optimizer: Any, name: str | None = None, learning_rate: Any = None) -> Any:
        """One more from the same configuration; it is not paired with the old one and gets no state of it."""
        return self._clone_plain(optimizer, name, learning_rate)

    def copy(self, optimizer: Any, name: str, learning_rate: Any) -> Any:
        """One more that is paired with the old one, and has another learning rate."""
        made = self._clone_plain(optimizer, name, learning_rate)
        self._copies.append((optimizer, made))
        self.rates.append((made, learning_rate))
        return made

    def add(self, old: Any, new: Any) -> None:
        """Add a pair that was made elsewhere."""
        self._made[id(old)] = (old, new)

    def _clone(self, optimizer: Any) -> Any:
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # Not `from_config`, which would make an inner optimizer of its own, without its state.
            inner = optimizer.inner_optimizer
            if type(inner) is keras.optimizers.MultiOptimizer:
                # Callbacks ask a LossScaleOptimizer for a rate that Keras' own class does not have (Keras 3.15).
                self.add(inner, self._clone_multi(inner, GroupedOptimizer))
            return scaled_around(self.of(inner), optimizer)
        if isinstance(optimizer, keras.optimizers.MultiOptimizer):
            return self._clone_multi(optimizer, type(optimizer))
        return self._clone_plain(optimizer)

    def _clone_multi(self, optimizer: Any, kind: Any) -> Any:
        known = optimizer._optimizer_map  # noqa: SLF001  # Keras 3.15 has no public accessor
        if isinstance(known, keras.optimizers.OptimizerMap):
            patterns = {pattern: self.of(each) for pattern, each in known._optimizer_map.items()}  # noqa: SLF001
            known = keras.optimizers.OptimizerMap(self.of(known.default_optimizer), patterns)
        more = {"proportions": optimizer.proportions()} if isinstance(optimizer, GroupedOptimizer) else {}
        return kind(known, loss_scale_factor=optimizer.loss_scale_factor, name=optimizer.name, **more)

    def _clone_plain(self, optimizer: Any, name: str | None = None, learning_rate: Any = None) -> Any:
        new_rate = self._learning_rate if learning_rate is None else learning_rate
        rate = optimizer._learning_rate  # noqa: SLF001  # `learning_rate` is a number where this is a schedule
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras warns of a lambda as learning rate; it is passed on unchanged
                config = optimizer.get_config()
                config["name"] = name or config["name"]
                if self._accumulation_steps is not None:
                    # Keras refuses 1.
                    config["gradient_accumulation_steps"] = (
                        self._accumulation_steps if self._accumulation_steps > 1 else None
                    )
                if new_rate is not None:
                    config["learning_rate"] = new_rate
                elif not isinstance(rate, keras.Variable):
                    config["learning_rate"] = rate
                made = type(optimizer).from_config(config)
        except Exception as error:
            raise RequestError(
                f"{type(optimizer).__name__} cannot be made from its own configuration: {error}",
                hint="return all arguments of its __init__ from its get_config",
            ) from error
        for attribute in UNSAVED:
            if hasattr(optimizer, attribute):
                setattr(made, attribute, getattr(optimizer, attribute))
        return made


def scaled_around(inner: Any, like: Any) -> Any:
    """A new LossScaleOptimizer around an optimizer, with the settings of another one."""
    return type(like)(
        inner,
        initial_scale=like.initial_scale,
        dynamic_growth_steps=like.dynamic_growth_steps,
        name=like.name,
    )

"""A report of what was saved of an optimizer's state, or loaded from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.model.compile_arguments import is_compiled
from weightkit.training.optimizer.bare_optimizer import BareOptimizer


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What was saved to a file, or loaded from it."""

    model: str
    file: str
    weights: int
    """How many weights have slots in the file, or got slots from it."""
    slots: int
    """How many slots these weights have."""
    state: int
    """How many values belong to no weight, such as the step count."""
    seeds: int
    """How many seed generators."""
    parked: int = 0
    """How many of the weights are frozen, so that their slots are parked."""
    unchanged: tuple[str, ...] = ()
    """What was not loaded, with the reason, a sentence each."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{self.slots} slots of {self.weights} weights, {self.state} other values, {self.seeds} seeds"
        lines = [f"{self.model} and {self.file}: {counts}"]
        lines += [f"  unchanged: {text}" for text in self.unchanged]
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(escape(line) for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {
            "schema": "weightkit.optimizer_state/1",
            "model": self.model,
            "file": self.file,
            "weights": self.weights,
            "slots": self.slots,
            "state": self.state,
            "seeds": self.seeds,
            "parked": self.parked,
            "unchanged": list(self.unchanged),
            "notes": list(self.notes),
        }


def with_optimizer(model: Any, variables: Any = None) -> Any:
    """A compiled model as it is, or an optimizer with the variables that it trains.

    Raises:
        RequestError: It is a model that is not compiled, ``variables`` are given for a model, or those of an optimizer
            are not known.
    """
    if isinstance(model, keras.optimizers.Optimizer):
        return BareOptimizer(model, variables)
    if variables is not None:
        raise RequestError(
            f"variables must be left out for a model, got {variables!r:.80}", hint="give it with an optimizer"
        )
    if not is_compiled(model):
        name = getattr(model, "name", type(model).__name__)
        raise RequestError(
            f"{name} must be compiled with an optimizer, and is not",
            hint="call compile(...) first, or give the optimizer with variables=model",
        )
    return model

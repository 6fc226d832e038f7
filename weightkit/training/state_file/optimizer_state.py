"""What was written of an optimizer's state, or taken over from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weightkit.errors import RequestError
from weightkit.escape import escape
from weightkit.training.model.compile_arguments import is_compiled


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What was written, or what a model's optimizer took over."""

    model: str
    file: str
    weights: int
    """Weights of which something is in the file, or was taken from it."""
    slots: int
    state: int
    """Values that belong to no weight, such as the step count."""
    seeds: int
    aside: int = 0
    """Weights among those that are frozen, whose slots wait for them."""
    left: tuple[str, ...] = ()
    """What stayed as it was, as the file has nothing for it, a sentence each."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{self.slots} slots of {self.weights} weights, {self.state} others, {self.seeds} seeds"
        lines = [f"{self.model} and {self.file}: {counts}"]
        lines += [f"  left as it was: {text}" for text in self.left]
        lines += [f"  note: {text}" for text in self.notes]
        return "\n".join(escape(line) for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.optimizer_state/1",
            "model": self.model,
            "file": self.file,
            "weights": self.weights,
            "slots": self.slots,
            "state": self.state,
            "seeds": self.seeds,
            "aside": self.aside,
            "left": list(self.left),
            "notes": list(self.notes),
        }


def require_optimizer(model: Any) -> None:
    """Refuse a model that has nothing to remember.

    Raises:
        RequestError: It is not compiled, or without an optimizer.
    """
    if not is_compiled(model) or getattr(model, "optimizer", None) is None:
        name = getattr(model, "name", type(model).__name__)
        raise RequestError(f"{name} has not been compiled with an optimizer", hint="call compile(...) first")

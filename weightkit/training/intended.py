"""What is meant to be frozen and trained, and where the flags say otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.training.weights import Weight, Weights


@dataclass(frozen=True, slots=True)
class Intention:
    """What a plan says of a model's weights; without a plan, what the flags say."""

    broken: tuple[str, ...] = ()
    """Where the flags are not those of the plan, a sentence each."""
    layers: Mapping[int, bool] = field(default_factory=dict)
    """Of layers with statistics, by ``id``: whether the plan has them updated."""

    @classmethod
    def of(cls, plan: Any, weights: Weights) -> Intention:
        """Hold a plan against the flags as they are."""
        return cls()

    def statistics(self, weight: Weight) -> str:
        """``updated`` or ``held``."""
        return "updated" if self.layers.get(id(weight.owner), weight.owner.trainable) else "held"

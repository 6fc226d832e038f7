"""What is meant to be frozen and trained, and where the flags say otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.live import counterparts
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access import WeightRef
    from weightkit.training.freezing.freeze_plan import FreezePlan
    from weightkit.training.model.inventory import Weight, Weights


@dataclass(frozen=True, slots=True)
class Intention:
    """What a plan says of a model's weights; without a plan, what the flags say."""

    broken: tuple[str, ...] = ()
    """Where the flags are not those of the plan, a sentence each."""
    layers: Mapping[int, bool] = field(default_factory=dict)
    """Of layers with statistics, by ``id``: whether the plan has them updated."""

    @classmethod
    def of(cls, plan: FreezePlan | None, weights: Weights) -> Intention:
        """Hold a plan against the flags as they are.

        Raises:
            RequestError: The model's weights are not those of the plan.
        """
        if plan is None:
            return cls()
        seen = weights.seen
        known = [flag.ref for flag in (*plan.weights, *plan.statistics)]
        here = [*seen.parameters, *seen.normalizations]
        found = counterparts(known, known, here, plan.label, seen.label, ordered=plan.ordered)
        wanted = {found[flag.ref]: flag.after for flag in plan.weights}
        layers = {id(seen.normalizations[found[flag.ref]]): flag.after for flag in plan.statistics}
        return cls(tuple(_broken(weights, wanted, layers)), layers)

    def statistics(self, weight: Weight) -> str:
        """``updated`` or ``held``."""
        return "updated" if self.layers.get(id(weight.owner), weight.owner.trainable) else "held"


def _broken(weights: Weights, wanted: Mapping[WeightRef, bool], layers: Mapping[int, bool]) -> Iterator[str]:
    unfrozen = [one.path for one in weights if one.trains and not wanted.get(one.ref, True)]
    frozen = [one.path for one in weights if not one.trains and wanted.get(one.ref, False)]
    if unfrozen:
        yield f"{listed(unfrozen)}: frozen in the plan, and trained by the flags as they are"
    if frozen:
        yield f"{listed(frozen)}: trained in the plan, and frozen by the flags as they are"
    normalizations = {id(layer): layer for layer in weights.seen.normalizations.values()}
    for key, updated in layers.items():
        if bool(normalizations[key].trainable) != updated:
            meant = "updated" if updated else "held"
            yield f"{normalizations[key].name}: its statistics are {meant} in the plan, and not by the layer's own flag"

"""What a plan expects to be frozen and trained, and where the flags differ from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.access.live import counterparts
from weightkit.errors import RequestError
from weightkit.text import listed
from weightkit.training.freezing.freeze_plan import FreezePlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access import WeightRef
    from weightkit.training.model.inventory import ModelWeight, ModelWeights


@dataclass(frozen=True, slots=True)
class ExpectedFlags:
    """What a plan says of a model's weights; without a plan, what the flags say."""

    mismatches: tuple[str, ...] = ()
    """Where the flags differ from the plan, a sentence each."""
    layers: Mapping[int, bool] = field(default_factory=dict)
    """By ``id`` of a layer with statistics, whether the plan has them updated."""

    @classmethod
    def of(cls, plan: FreezePlan | None, weights: ModelWeights) -> ExpectedFlags:
        """Compare a plan with the flags as they are.

        Raises:
            RequestError: It is not a plan, or the model's weights are not those of the plan.
        """
        if plan is None:
            return cls()
        if not isinstance(plan, FreezePlan):
            raise RequestError(
                f"plan must be the plan of freeze or unfreeze, or None, got {type(plan).__name__}",
                hint="give the training data as data=(x, y)",
                file=weights.view.label,
            )
        view = weights.view
        known = [flag.ref for flag in (*plan.weights, *plan.statistics)]
        here = [*view.parameters, *view.normalizations]
        found = counterparts(known, known, here, plan.label, view.label, ordered=plan.ordered)
        wanted = {found[flag.ref]: flag.after for flag in plan.weights}
        layers = {id(view.normalizations[found[flag.ref]]): flag.after for flag in plan.statistics}
        return cls(tuple(_mismatches(weights, wanted, layers)), layers)

    def statistics(self, weight: ModelWeight) -> str:
        """``updated`` or ``frozen``."""
        return "updated" if self.layers.get(id(weight.owner), weight.owner.trainable) else "frozen"


def _mismatches(weights: ModelWeights, wanted: Mapping[WeightRef, bool], layers: Mapping[int, bool]) -> Iterator[str]:
    unfrozen = [one.path for one in weights if one.is_trained and not wanted.get(one.ref, True)]
    frozen = [one.path for one in weights if not one.is_trained and wanted.get(one.ref, False)]
    if unfrozen:
        yield f"{listed(unfrozen)}: frozen in the plan, trained by the present flags"
    if frozen:
        yield f"{listed(frozen)}: trained in the plan, frozen by the present flags"
    normalizations = {id(layer): layer for layer in weights.view.normalizations.values()}
    for key, updated in layers.items():
        if bool(normalizations[key].trainable) != updated:
            expected, actual = ("updated", "frozen") if updated else ("frozen", "updated")
            yield f"{normalizations[key].name}: statistics are {expected} in the plan, {actual} by the layer's flag"

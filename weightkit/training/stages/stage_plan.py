"""The stages of one run, with the weights that each trains; made before anything is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError, SelectionError
from weightkit.training.freezing.selected_weights import select_weights
from weightkit.training.model.model_view import view_model
from weightkit.training.stages.stage import Stage

if TYPE_CHECKING:
    from weightkit.training.model.model_view import ModelView


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The stages of a run on one model."""

    stages: tuple[Stage, ...]
    names: tuple[str, ...]
    """What progress and errors call them."""
    model: tuple[str, ...]
    """Every weight of the model: its structural address, shape and dtype."""
    stoppers: tuple[Any, ...]
    """Of each stage, the callback that ends it early, or None."""
    settings: tuple[dict[str, Any], ...]
    """Of each stage, what a run that is resumed must have in common with the one before; for JSON."""

    @classmethod
    def of(cls, model: Any, stages: Iterable[Stage]) -> StagePlan:
        """Find the weights of every stage.

        Raises:
            RequestError: There are no stages, one of them is something else, or the model is not built.
            SelectionError: A selection is malformed or finds nothing.
        """
        known = tuple(stages) if isinstance(stages, Iterable) else ()
        if not known or not all(isinstance(one, Stage) for one in known):
            raise RequestError(f"stages must be a list of Stage objects, got {stages!r}")
        view = view_model(model)
        found = [_selected(view, place, stage) for place, stage in enumerate(known)]
        weights = tuple(f"{ref.structure} {ref.shape} {ref.dtype.name}" for ref in view.refs)
        stoppers = tuple(stage.stopper() for stage in known)
        names, settings = zip(*found, strict=True)
        return cls(known, names, weights, stoppers, settings)

    def epochs_from(self, place: int) -> int:
        """How many epochs a stage and all after it have."""
        return sum(stage.epochs for stage in self.stages[place:])


def _selected(view: ModelView, place: int, stage: Stage) -> tuple[str, dict[str, Any]]:
    """The name of a stage, and what tells it from others."""
    try:
        chosen = select_weights(view, stage.train, stage.exclude)
        for where in stage.learning_rate if isinstance(stage.learning_rate, Mapping) else ():
            select_weights(view, where)
    except SelectionError as error:
        named = f" ({stage.name})" if stage.name else ""
        error.problem = f"stage {place + 1}{named}: {error.problem}"
        raise
    addresses = "\n".join(sorted(ref.structure for ref in chosen.refs))
    digest = hashlib.blake2b(addresses.encode(), digest_size=8).hexdigest()
    return stage.name or chosen.text, stage.settings() | {"train": digest}

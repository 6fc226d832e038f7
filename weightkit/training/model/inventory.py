"""Every variable of a model, each once, with its address, its layer, and whether it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live import open_live
from weightkit.training.model.model_view import view_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access import WeightRef
    from weightkit.access.live import Unsaved
    from weightkit.training.model.model_view import ModelView


@dataclass(frozen=True, slots=True, eq=False)
class ModelWeight:
    """One variable of a model."""

    ref: WeightRef
    variable: Any
    owner: Any
    """The layer that made it; None where there is none."""
    is_trained: bool
    """Whether it is in ``model.trainable_variables``: its own flag and those of all layers around it are on."""
    is_parameter: bool
    """Whether it can be trained: its layer made it with ``trainable=True``."""

    @property
    def path(self) -> str:
        """Its address, as messages show it."""
        return self.ref.path


@dataclass(frozen=True, slots=True, eq=False)
class ModelWeights:
    """The variables of a model, each once, in the order of saving; without those of its optimizer and metrics."""

    view: ModelView
    all: tuple[ModelWeight, ...]
    unsaved: tuple[Unsaved, ...]
    """Variables that Keras never saves; those that can be trained are in ``all`` too."""

    @property
    def label(self) -> str:
        """The model, as messages show it."""
        return self.view.label

    @classmethod
    def of(cls, model: Any) -> ModelWeights:
        """Find the variables of a model.

        Raises:
            RequestError: It is not a model of Keras 3, or is not built.
        """
        view, store = view_model(model), open_live(model)
        trained = {id(variable) for variable in model.trainable_variables}
        # Reversed, so that the first of several layers with the variable counts.
        makers = {id(v): layer for layer in reversed(view.layers) for v in layer._trainable_variables}  # noqa: SLF001
        saved = set(store)
        found: dict[int, ModelWeight] = {}
        for ref in view.refs:
            variable = view.parameters[ref] if ref in view.parameters else store.variable(ref)
            # Variables that a saved value is computed from have addresses that the store does not know.
            owner = makers.get(id(variable)) or (store.owner(ref) if ref in saved else None)
            weight = ModelWeight(ref, variable, owner, id(variable) in trained, ref in view.parameters)
            found.setdefault(id(variable), weight)
        return cls(view, tuple(found.values()), store.unsaved)

    def __iter__(self) -> Iterator[ModelWeight]:
        return iter(self.all)

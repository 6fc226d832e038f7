"""Every variable of a model once, with its address, the layer that made it, and whether it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access.live import open_live
from weightkit.training.model.weights import look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access import WeightRef
    from weightkit.training.model.weights import Layered


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """One variable of a model."""

    ref: WeightRef
    variable: Any
    owner: Any
    """The layer that made it; None where no layer did."""
    trains: bool
    """Whether a training step would change it by its gradient: the model says so, not a flag alone."""
    is_parameter: bool
    """Whether it was made to be trained."""

    @property
    def path(self) -> str:
        """Its address, as messages name it."""
        return self.ref.path


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The variables of a model, each once, as it saves them; without those of its optimizer and its metrics."""

    seen: Layered
    all: tuple[Weight, ...]

    @property
    def label(self) -> str:
        """What messages call the model."""
        return self.seen.label

    @classmethod
    def of(cls, model: Any) -> Weights:
        """Find them.

        Raises:
            RequestError: It is no model of Keras 3, or has not been built.
        """
        seen, store = look_at(model), open_live(model)
        trained = {id(variable) for variable in model.trainable_variables}
        makers = {id(v): layer for layer in reversed(seen.layers) for v in layer._trainable_variables}  # noqa: SLF001
        saved = set(store)
        found: dict[int, Weight] = {}
        for ref in seen.refs:
            variable = seen.parameters[ref] if ref in seen.parameters else store.variable(ref)
            owner = makers.get(id(variable)) or (store.owner(ref) if ref in saved else None)
            weight = Weight(ref, variable, owner, id(variable) in trained, ref in seen.parameters)
            found.setdefault(id(variable), weight)
        return cls(seen, tuple(found.values()))

    def __iter__(self) -> Iterator[Weight]:
        return iter(self.all)

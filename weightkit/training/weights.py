"""All variables of a model with their addresses: those that it saves, and those that it trains and does not save."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.live.naming import class_of, ref_of_variable
from weightkit.access.live.opening import open_live
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.live.store import LiveStore
    from weightkit.access.ref import WeightRef


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """One variable of a model."""

    ref: WeightRef
    variable: Any
    owner: Any
    """The layer that made it; None where no layer did."""
    trains: bool
    """Whether a training step would change it by its gradient: the model says so, not a flag alone."""

    @property
    def path(self) -> str:
        """Its address, as messages name it."""
        return self.ref.path

    @property
    def is_parameter(self) -> bool:
        """Whether it was made to be trained."""
        return self.ref.kind is Kind.PARAMETER


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The variables of a model, each once, in the order in which it saves them; the optimizer's and metrics' are not.

    LoRA saves a kernel that is computed from three variables: these come under their own names after the others.
    """

    label: str
    """What messages call the model."""
    all: tuple[Weight, ...]
    ordered: bool
    """Whether they come in the order of the layers."""

    @classmethod
    def of(cls, model: Any) -> Weights:
        """Find them.

        Raises:
            RequestError: It is no model of Keras 3, or has not been built.
        """
        store = open_live(model)
        trained = {id(variable) for variable in model.trainable_variables}
        found: dict[int, Weight] = {}
        for ref, variable, owner in (*_saved(store), *_unsaved(store, model)):
            found.setdefault(id(variable), Weight(ref, variable, owner, id(variable) in trained))
        return cls(store.label, tuple(found.values()), store.ordered)

    def __iter__(self) -> Iterator[Weight]:
        return iter(self.all)


def _saved(store: LiveStore) -> Iterator[tuple[WeightRef, Any, Any]]:
    for ref in store:
        if ref.kind is not Kind.OPTIMIZER and store.variable(ref) is not None:
            yield ref, store.variable(ref), store.owner(ref)


def _unsaved(store: LiveStore, model: Any) -> Iterator[tuple[WeightRef, Any, Any]]:
    """Weights that no object saves as they are, under the address of the layer that made them."""
    known = {id(store.variable(ref)) for ref in store}
    left = {id(variable): variable for variable in model.weights if id(variable) not in known}
    if not left:
        return
    places = {id(store.owner(ref)): ref for ref in store}
    for layer in model._flatten_layers():  # noqa: SLF001  # Keras has no other way to ask
        made = layer._trainable_variables  # noqa: SLF001
        for index, variable in enumerate((*made, *layer._non_trainable_variables)):  # noqa: SLF001
            if left.pop(id(variable), None) is not None:
                kind = Kind.PARAMETER if index < len(made) else Kind.STATE
                yield _ref_beside(variable, index, kind, layer, places.get(id(layer))), variable, layer
    for index, variable in enumerate(left.values()):
        yield ref_of_variable(variable, variable.path, index), variable, None


def _ref_beside(variable: Any, index: int, kind: Kind, layer: Any, beside: WeightRef | None) -> WeightRef:
    ref = ref_of_variable(variable, variable.path, index)
    if beside is None:
        return replace(ref, kind=kind, layer_class=class_of(layer))
    structure = f"{beside.owner}/{variable.name}"
    return replace(
        ref, structure=structure, layer=beside.layer, name=variable.name, kind=kind, layer_class=class_of(layer)
    )

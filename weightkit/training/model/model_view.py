"""The layers of a model and the weights that can be trained, with the addresses under which they are saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras

from weightkit.access import Kind
from weightkit.access.live import open_live, ref_of_variable
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access import WeightRef
    from weightkit.access.live import LiveStore


@dataclass(frozen=True, slots=True, eq=False)
class ModelView:
    """A model's layers, weights and variables, as they were when the view was made."""

    model: Any
    label: str
    ordered: bool
    """Whether the weights are in the order of the layers."""
    refs: tuple[WeightRef, ...]
    """Every weight that a selection can find: parameters, statistics, state; nothing of the optimizer."""
    parameters: dict[WeightRef, Any]
    """Weights that can be trained, with their variables."""
    normalizations: dict[WeightRef, Any]
    """Moving statistics, with the BatchNormalization that updates them."""
    layers: tuple[Any, ...]
    """All layers, the model itself first."""

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self.refs)


def view_model(model: Any) -> ModelView:
    """The layers and weights of a model.

    Raises:
        RequestError: It is not a model of Keras 3, or is not built.
    """
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"model must be a model of Keras 3, got {type(model).__name__}")
    store = open_live(model)
    layers = tuple(model._flatten_layers())  # noqa: SLF001  # `layers` leaves out layers in a user's own attributes
    made = {id(variable): variable for layer in layers for variable in layer._trainable_variables}  # noqa: SLF001
    refs, parameters = _weights(store, made)
    normalizations = {
        ref: store.owner(ref) for ref in store if ref.kind is Kind.STATISTIC and is_batch_norm(store.owner(ref))
    }
    return ModelView(model, store.label, store.ordered, tuple(refs), parameters, normalizations, layers)


def is_batch_norm(layer: Any) -> bool:
    """Whether a layer updates moving statistics in training, unless its own flag is off: Keras' BatchNormalization."""
    return isinstance(layer, keras.layers.BatchNormalization)


def _weights(store: LiveStore, made: dict[int, Any]) -> tuple[list[WeightRef], dict[WeightRef, Any]]:
    """All weights, and the variables of those that can be trained.

    A layer may compute a weight when it is saved, such as a kernel with LoRA merged in. The variables that it is
    computed from stand in its place.

    Args:
        store: The model.
        made: By ``id``, the variables that layers made with ``trainable=True``.
    """
    refs: list[WeightRef] = []
    parameters: dict[WeightRef, Any] = {}
    saved = {id(store.variable(ref)) for ref in store}
    for ref in store:
        variable = store.variable(ref)
        if ref.kind is Kind.OPTIMIZER:
            continue
        if variable is None:
            sources = _sources(store, ref, saved)
            refs += sources
            parameters |= {source: made.pop(id(one), one) for source, one in sources.items()}
            continue
        refs.append(ref)
        if id(variable) in made:
            parameters[ref] = variable
    unsaved = _unsaved(made, {id(variable) for variable in parameters.values()})
    return [*refs, *unsaved], parameters | unsaved


def _sources(store: LiveStore, ref: WeightRef, saved: set[int]) -> dict[WeightRef, Any]:
    """The variables of a layer that a saved value is computed from; each is added to ``saved``."""
    found = {}
    for variable in getattr(store.owner(ref), "_trainable_variables", ()):
        if id(variable) not in saved:
            saved.add(id(variable))
            found[_source_ref(ref, variable)] = variable
    return found


def _source_ref(ref: WeightRef, variable: Any) -> WeightRef:
    """The address of a variable that a saved value is computed from."""
    found = ref_of_variable(variable, f"{ref.owner}/{variable.name}", ref.index)
    return replace(found, layer=ref.layer, layer_class=ref.layer_class, kind=Kind.PARAMETER)


def _unsaved(made: dict[int, Any], known: set[int]) -> dict[WeightRef, Any]:
    """Variables that Keras trains and does not save, such as those of a layer in a user's own tuple."""
    return {
        ref_of_variable(variable, f"unsaved/{variable.path}", 0): variable
        for key, variable in made.items()
        if key not in known
    }

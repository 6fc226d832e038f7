"""The weights of a model that could be trained, under the addresses that it is saved by, with their variables."""

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
class Layered:
    """A model's layers, weights and variables, looked at once."""

    model: Any
    label: str
    ordered: bool
    """Whether the weights come in the order of the layers."""
    refs: tuple[WeightRef, ...]
    """Every weight that a selection can name: parameters, statistics, state; nothing of the optimizer."""
    parameters: dict[WeightRef, Any]
    """Those that could be trained, with their variables."""
    normalizations: dict[WeightRef, Any]
    """Statistics that a layer stops updating when its flag is off, with the layer."""
    layers: tuple[Any, ...]
    """All layers, the model itself first."""

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self.refs)


def look_at(model: Any) -> Layered:
    """The layers and weights of a model.

    Raises:
        RequestError: It is no model of Keras 3, or has not been built.
    """
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"a {type(model).__name__} is no model of Keras 3", hint="give a model")
    store = open_live(model)
    layers = tuple(model._flatten_layers())  # noqa: SLF001  # `layers` has not those of a user's own attributes
    made = {id(variable): variable for layer in layers for variable in layer._trainable_variables}  # noqa: SLF001
    refs, parameters = _weights(store, made)
    normalizations = {
        ref: store.owner(ref)
        for ref in store
        if ref.kind is Kind.STATISTIC and isinstance(store.owner(ref), keras.layers.BatchNormalization)
    }
    return Layered(model, store.label, store.ordered, tuple(refs), parameters, normalizations, layers)


def _weights(store: LiveStore, made: dict[int, Any]) -> tuple[list[WeightRef], dict[WeightRef, Any]]:
    """All weights, with the variables of those that were made to be trained.

    Where a layer computes a weight when it is saved (a kernel with LoRA merged in), the variables that it is computed
    from stand in its place.
    """
    refs: list[WeightRef] = []
    parameters: dict[WeightRef, Any] = {}
    saved = {id(store.variable(ref)) for ref in store}
    for ref in store:
        if ref.kind is Kind.OPTIMIZER:
            continue
        variable = store.variable(ref)
        beneath = [ref] if variable is not None else []
        if variable is None:
            owned = getattr(store.owner(ref), "_trainable_variables", ())
            for one in owned:
                if id(one) not in saved:
                    saved.add(id(one))
                    beneath.append(_beneath(ref, one))
                    parameters[beneath[-1]] = made.pop(id(one), one)
        elif id(variable) in made:
            parameters[ref] = variable
        refs += beneath
    taken = {id(variable) for variable in parameters.values()}
    for key, variable in made.items():  # what Keras saves nowhere, and trains all the same
        if key not in taken:
            ref = ref_of_variable(variable, f"unsaved/{variable.path}", 0)
            refs.append(ref)
            parameters[ref] = variable
    return refs, parameters


def _beneath(ref: WeightRef, variable: Any) -> WeightRef:
    """A variable that a saved value is computed from."""
    found = ref_of_variable(variable, f"{ref.owner}/{variable.name}", ref.index)
    return replace(found, layer=ref.layer, layer_class=ref.layer_class, kind=Kind.PARAMETER)

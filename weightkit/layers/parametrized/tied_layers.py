"""Find the layers that ties name, in the whole model."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import keras

from weightkit.layers.parametrizations.tied import Tied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weightkit.layers.parametrizations.parametrization import ComputedWeight, Weight


def find_tied_layers(model: Any) -> None:
    """Find what the ties in a model name and was not upstream when their layers were built.

    Raises:
        RequestError: The model has no such layer, or several.
    """
    layers = model._flatten_layers()  # noqa: SLF001
    for layer in layers:
        for tied, weight in ties(getattr(layer, "computed", ())):
            if tied.source_layer is None:
                tied.find_among(layers, weight, model.name)


def ties(computed: Iterable[ComputedWeight]) -> Iterator[tuple[Tied, Weight]]:
    """The ties among computed weights, each with its weight."""
    for one in computed:
        yield from ((step, one.weight) for step, _ in one.steps if isinstance(step, Tied))


def entered(wrapper: Any) -> Any:
    """The outermost layer of the present call, such as the model; the wrapper itself outside of calls."""
    # Keras 3.15 has no public name for it.
    context = wrapper._get_call_context()  # noqa: SLF001
    outermost, stateless = context.entry_layer, _stateless_caller()
    is_inside = stateless is not None and any(one is outermost for one in stateless._flatten_layers())  # noqa: SLF001
    return stateless if is_inside else outermost


def _stateless_caller() -> Any:
    """The outermost layer whose ``stateless_call`` is running, as in ``predict`` on JAX; None where there is none.

    Keras 3.15 does not enter this layer in the call's context, so the call seems to begin at a layer inside. Nothing
    but the Python frame knows it.
    """
    found, frame = None, inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "stateless_call" and isinstance(frame.f_locals.get("self"), keras.layers.Layer):
            found = frame.f_locals["self"]
        frame = frame.f_back
    return found


def warn_of_ties_outside(wrapper: Any, model: Any) -> None:
    """Warn where a model that is called does not hold a layer that a wrapper in it is tied to."""
    if not isinstance(model, keras.Model):
        return
    held = {id(variable) for variable in model.variables}
    for variable in wrapper.tied_variables.values():
        if id(variable) not in held:
            warnings.warn(
                f"{wrapper.name} is tied to {variable.path}, which {model.name} does not hold: training and saving "
                f"{model.name} alone leave it out. Train and save a model that holds both layers.",
                stacklevel=2,
            )

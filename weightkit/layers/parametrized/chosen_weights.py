"""The weights of a model that a call of `parametrize` is about."""

from __future__ import annotations

from typing import Any

from weightkit.access import Kind, combine, selected
from weightkit.access.live import open_live
from weightkit.errors import RequestError, SelectionError
from weightkit.layers.parametrizations.parametrization import Parametrization
from weightkit.layers.parametrized.weight_choice import fits, label, no_weight


def steps_of(parametrization: Any) -> list[Parametrization]:
    """One or several parametrizations as a list.

    Raises:
        RequestError: It is something else.
    """
    steps: list[Any] = list(parametrization) if isinstance(parametrization, list | tuple) else [parametrization]
    if not steps or not all(isinstance(one, Parametrization) for one in steps):
        raise RequestError(
            f"parametrize: parametrization must be a Parametrization or a list of them, got {parametrization!r}"
        )
    return steps


def chosen_weights(model: Any, where: Any, exclude: Any, steps: list[Parametrization]) -> set[int]:
    """The ``id`` of the variables of a model that are selected and that parametrizations apply to.

    Raises:
        RequestError: A selected layer is quantized, or the model is not built.
        SelectionError: The selection is malformed, or finds no weight that they apply to.
    """
    if where is None:
        raise SelectionError("parametrize: where must select something, got None", hint='"**" selects all weights')
    store = open_live(model)
    refs = tuple(store)
    found = selected(store, where, exclude).refs if refs else ()
    quantized = next((ref for ref in found if ref.kind is Kind.QUANTIZATION), None)
    if quantized is not None:
        raise RequestError(f"{quantized.path} must not be a weight of a quantized layer", file=store.label)
    selector, _ = combine(where)
    bound = None if selector is None else selector.bind(refs, ordered=store.ordered)
    fitting = [ref for ref in found if bound is not None and fits(ref, bound, steps)]
    if not fitting:
        problem, hint = no_weight(str(selector), found, refs, steps)
        raise SelectionError(f"{store.label} {problem}", hint=hint)
    return {id(store.variable(ref)) for ref in fitting}


def targets_in(layer: Any, chosen: set[int], labels: set[str]) -> dict[str, str]:
    """Structural addresses and labels of the chosen weights of a layer, as in a wrapper's configuration.

    Args:
        layer: The layer.
        chosen: The ``id`` of the chosen variables.
        labels: Labels that are in use; those of these weights are added.
    """
    if not layer.variables:
        return {}
    store = open_live(layer)
    found: dict[str, str] = {}
    left = set(chosen)
    for ref in store:
        variable = id(store.variable(ref))
        if variable in left:
            left.remove(variable)  # a variable with two addresses is computed once
            found[ref.structure] = label(ref.name or "weight", labels)
    return found

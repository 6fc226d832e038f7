"""Whether training updates the moving statistics of BatchNormalizations.

In Keras 3.15 this depends on the ``trainable`` flag of the layer alone, never on that of a variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from weightkit.arguments import one_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from weightkit.access import WeightRef
    from weightkit.training.model.model_view import ModelView

Statistics = Literal["freeze", "update", "keep"]


def updating_layers(
    view: ModelView, selected: Collection[WeightRef], wanted: Mapping[WeightRef, bool], statistics: Statistics
) -> tuple[dict[int, bool], tuple[str, ...]]:
    """Which BatchNormalizations update their statistics from now on, by ``id``, and notes for the user.

    Args:
        view: The model.
        selected: All weights that the selection finds, of any kind.
        wanted: The new flags of weights that can be trained.
        statistics: What is asked for.

    Raises:
        RequestError: ``statistics`` has another value.
    """
    one_of("statistics", statistics, ("freeze", "update", "keep"))
    layers = {id(layer): layer for layer in view.normalizations.values()}
    selected_layers = {id(layer) for ref, layer in view.normalizations.items() if ref in set(selected)}
    updating = {key: bool(layer.trainable) for key, layer in layers.items()}
    notes: list[str] = []
    for key, layer in layers.items():
        flags = _flags(view, layer, wanted)
        has_new_flag = any(flag is not None for flag in flags.values())
        is_selected = key in selected_layers
        if statistics == "keep" or not (is_selected or has_new_flag):
            continue
        # A layer that is trained in part needs statistics that follow its inputs, unless they are selected.
        if statistics == "update" or is_selected or not any(_flags_after(layer, flags)):
            updating[key] = statistics == "update"
        else:
            notes.append(f"{layer.name}: some of its weights stay trained, so its statistics are still updated")
        if is_selected and not has_new_flag and flags:
            notes.append(f"{layer.name}: its statistics are frozen by the layer's flag; its weights keep their flags")
    return updating, tuple(notes)


def _flags(view: ModelView, layer: Any, wanted: Mapping[WeightRef, bool]) -> dict[int, bool | None]:
    """The new flag of each variable of a layer, by ``id``; None where it does not change."""
    variables = {id(variable) for variable in layer._trainable_variables}  # noqa: SLF001
    return {id(v): wanted.get(ref) for ref, v in view.parameters.items() if id(v) in variables}


def _flags_after(layer: Any, flags: Mapping[int, bool | None]) -> list[bool]:
    present = {id(variable): bool(variable.trainable) for variable in layer._trainable_variables}  # noqa: SLF001
    return [present[key] if flag is None else flag for key, flag in flags.items()]

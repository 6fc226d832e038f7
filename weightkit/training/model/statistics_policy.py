"""Whether BatchNormalizations go on measuring their data: it hangs on the layer's flag, never on a variable's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from weightkit.training.arguments import require_one_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from weightkit.access import WeightRef
    from weightkit.training.model.weights import Layered

Statistics = Literal["freeze", "update", "keep"]


def policy(
    seen: Layered, selected: Collection[WeightRef], wanted: Mapping[WeightRef, bool], statistics: Statistics
) -> tuple[dict[int, bool], tuple[str, ...]]:
    """Which BatchNormalizations measure from now on, by ``id``, and what the owner should know.

    Args:
        seen: The model.
        selected: All weights that the selection reaches, of whatever kind.
        wanted: The new flags of parameters.
        statistics: What is asked for.

    Raises:
        RequestError: ``statistics`` is none of the three.
    """
    require_one_of("statistics", statistics, "freeze", "update", "keep")
    layers = {id(layer): layer for layer in seen.normalizations.values()}
    measured = {id(layer) for ref, layer in seen.normalizations.items() if ref in set(selected)}
    updating = {key: bool(layer.trainable) for key, layer in layers.items()}
    notes: list[str] = []
    for key, layer in layers.items():
        flags = _flags(seen, layer, wanted)
        reached = key in measured or any(flag is not None for flag in flags.values())
        if not reached or statistics == "keep":
            continue
        if statistics == "update" or key in measured or not any(_after(layer, flags)):
            updating[key] = statistics == "update"
        else:
            notes.append(f"{layer.name}: some of its weights stay trained, so that its statistics go on moving")
        if key in measured and not any(flag is not None for flag in flags.values()) and flags:
            notes.append(f"{layer.name}: its statistics are held by the layer's flag; its weights stay as they are")
    return updating, tuple(notes)


def _flags(seen: Layered, layer: Any, wanted: Mapping[WeightRef, bool]) -> dict[int, bool | None]:
    own = {id(variable) for variable in layer._trainable_variables}  # noqa: SLF001
    return {id(v): wanted.get(ref) for ref, v in seen.parameters.items() if id(v) in own}


def _after(layer: Any, flags: Mapping[int, bool | None]) -> list[bool]:
    present = {id(variable): bool(variable.trainable) for variable in layer._trainable_variables}  # noqa: SLF001
    return [present[key] if flag is None else flag for key, flag in flags.items()]

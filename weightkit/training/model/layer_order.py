"""The layers of a model in its own order, with their paths, whether or not they have weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def layers_in_order(model: Any) -> Iterator[tuple[str, Any]]:
    """Every layer in a model once, with the names around it and its own (``backbone/relu``); the first place counts.

    Layers that contain others come before them. The model itself is left out. Keras' own ``_flatten_layers`` (3.15)
    gives the layers of a nested model in reverse.
    """
    yield from _inside(model, "", {id(model)})


def _inside(layer: Any, above: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for one in layer._layers:  # noqa: SLF001  # `layers` leaves out those in a user's own attributes
        if id(one) not in seen:
            seen.add(id(one))
            path = f"{above}{one.name}"
            yield path, one
            yield from _inside(one, f"{path}/", seen)

"""Optimizers that a model holds beside the one that Keras knows of, as a GAN with a train step of its own does."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import keras

from weightkit.training.optimizer.slots import inner_optimizers

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOKS = ("_self_", "_tracker", "_compile_config", "_obj_reference_counts_dict")
"""Attributes in which TensorFlow (with ``_self_``) and Keras keep their own lists of all that a model holds."""


def held_optimizers(thing: Any) -> Iterator[tuple[str, Any]]:
    """Every optimizer in the attributes of a thing, those in lists and dictionaries there too.

    Yields:
        Where it is, as ``optimizers['critic'][0]``, and the optimizer; one that is held twice comes twice.
    """
    seen: set[int] = set()
    waiting = deque((name, value) for name, value in vars(thing).items() if not name.startswith(_BOOKS))
    while waiting:
        where, value = waiting.popleft()
        if isinstance(value, keras.optimizers.Optimizer):
            yield where, value
        elif isinstance(value, dict | list | tuple | set | frozenset) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend((f"{where}[{key!r}]", one) for key, one in items)


def with_inner(optimizer: Any) -> Iterator[Any]:
    """An optimizer and all that it wraps."""
    yield optimizer
    for inner in inner_optimizers(optimizer).values():
        yield from with_inner(inner)


def other_optimizers(model: Any) -> list[str]:
    """Where a model holds optimizers of which its own one knows nothing, or its own one once more in a container."""
    known = {id(one) for one in with_inner(model.optimizer)}
    return [
        where
        for where, one in held_optimizers(model)
        if id(one) not in known or (one is model.optimizer and where not in vars(model))
    ]


def other_names(model: Any) -> list[str]:
    """Attributes by which a model holds its own optimizer besides ``optimizer``."""
    held = ((name, value) for name, value in vars(model).items() if not name.startswith(_BOOKS))
    return [name for name, value in held if value is model.optimizer and name != "optimizer"]

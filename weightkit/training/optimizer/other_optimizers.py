"""Optimizers that a model has besides ``model.optimizer``, such as those of a GAN with its own train step."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import keras

from weightkit.training.optimizer.slots import inner_optimizers

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOKKEEPING = ("_self_", "_tracker", "_compile_config", "_obj_reference_counts_dict")
"""Attributes in which TensorFlow (``_self_``) and Keras 3.15 track everything that a model has."""


def optimizers_in(thing: Any) -> Iterator[tuple[str, Any]]:
    """Every optimizer in the attributes of a model or layer, those in lists and dictionaries included.

    Yields:
        Its place, such as ``optimizers['critic'][0]``, and the optimizer; one in two places comes twice.
    """
    seen: set[int] = set()
    waiting = deque((name, value) for name, value in vars(thing).items() if not name.startswith(_BOOKKEEPING))
    while waiting:
        where, value = waiting.popleft()
        if isinstance(value, keras.optimizers.Optimizer):
            yield where, value
        # Remembered by `id`, since a list may contain itself.
        elif isinstance(value, dict | list | tuple | set | frozenset) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            waiting.extend((f"{where}[{key!r}]", one) for key, one in items)


def with_inner(optimizer: Any) -> Iterator[Any]:
    """An optimizer and all inner optimizers."""
    yield optimizer
    for inner in inner_optimizers(optimizer).values():
        yield from with_inner(inner)


def is_wrapper(optimizer: Any) -> bool:
    """Whether an optimizer only hands gradients to others, and has no slots and rate of its own that count."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer | keras.optimizers.MultiOptimizer)


def single_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers that update weights: an optimizer itself, or those in it."""
    return [one for one in with_inner(optimizer) if not is_wrapper(one)]


def other_optimizers(model: Any) -> list[str]:
    """Places of optimizers that are not in ``model.optimizer``, or of ``model.optimizer`` itself in a container."""
    known = {id(one) for one in with_inner(model.optimizer)}
    return [
        where
        for where, one in optimizers_in(model)
        if id(one) not in known or (one is model.optimizer and where not in vars(model))
    ]


def optimizer_aliases(model: Any) -> list[str]:
    """Attributes other than ``optimizer`` that are ``model.optimizer``."""
    attributes = ((name, value) for name, value in vars(model).items() if not name.startswith(_BOOKKEEPING))
    return [name for name, value in attributes if value is model.optimizer and name != "optimizer"]

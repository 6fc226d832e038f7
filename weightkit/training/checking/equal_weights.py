"""Weights that are equal by accident, because several layers have one initializer object or one seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live import as_numpy
from weightkit.text import listed
from weightkit.training.checking.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.training.model.inventory import ModelWeight, ModelWeights


def equal_weights(model: Any, weights: ModelWeights) -> Iterator[Finding]:
    """Trained weights of one shape that are equal bit for bit and have random values.

    Constants, and arrays of zeros and one other value (an LSTM's bias, an identity), are equal on purpose. Weights are
    read completely only where their first elements are equal.
    """
    del model
    # Single numbers, such as scales of 1, are often equal on purpose.
    for group_of_first in _equal_groups(
        [weight for weight in weights if weight.is_trained and weight.ref.size > 1], _first_bytes
    ):
        for group in _equal_groups([weight for weight in group_of_first if _is_random(weight)], _digest):
            paths = tuple(weight.path for weight in group)
            yield Finding(
                "equal weights",
                f"{listed(paths)} are equal, bit for bit: was one initializer given to all of them?",
                f"re-initialize them: reinitialize(model, seed=..., where={list(paths)!r})",
                paths,
            )


def _equal_groups(weights: list[ModelWeight], key: Any) -> list[list[ModelWeight]]:
    """Groups of two or more weights with equal shape, dtype and key."""
    groups = defaultdict(list)
    for weight in weights:
        groups[weight.ref.shape, weight.ref.dtype, key(weight)].append(weight)
    return [group for group in groups.values() if len(group) > 1]


def _values(weight: ModelWeight) -> np.ndarray:
    return as_numpy(weight.variable._value).reshape(-1)  # noqa: SLF001  # `value` is cast in an autocast scope


def _first_bytes(weight: ModelWeight) -> bytes:
    return _values(weight)[:64].tobytes()


def _digest(weight: ModelWeight) -> bytes:
    # A digest, since keeping the values of all candidates may take as much memory as the model.
    return hashlib.blake2b(np.ascontiguousarray(_values(weight)).view(np.uint8).data, digest_size=16).digest()


def _is_random(weight: ModelWeight) -> bool:
    values = _values(weight)
    first = values[0] or values[np.argmax(values != 0)]
    constant = bool((values == values[0]).all())
    return not constant and not bool(((values == 0) | (values == first)).all())

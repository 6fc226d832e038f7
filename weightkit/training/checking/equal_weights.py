"""Weights that began equal by accident: one initializer object, or one seed, for several layers."""

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

    from weightkit.training.model.inventory import Weight, Weights


def equal_weights(model: Any, weights: Weights) -> Iterator[Finding]:
    """Trained weights of one shape that are equal bit for bit, and were drawn.

    Constants, and what holds only zeros and one other value (an LSTM's bias, an identity), are equal on purpose.
    Of weights of one shape, the rest is read only where their beginnings are equal.
    """
    del model
    for beginning in _alike([weight for weight in weights if weight.trains and weight.ref.size > 1], _beginning):
        for group in _alike([weight for weight in beginning if _is_drawn(weight)], _digest):
            paths = tuple(weight.path for weight in group)
            yield Finding(
                "equal weights",
                f"{listed(paths)} are equal, bit for bit: was one initializer given to all of them?",
                f"draw them apart: reinitialize(model, seed=..., where={list(paths)!r})",
                paths,
            )


def _alike(weights: list[Weight], look: Any) -> list[list[Weight]]:
    """Groups of more than one weight of the same look."""
    groups = defaultdict(list)
    for weight in weights:
        groups[weight.ref.shape, weight.ref.dtype, look(weight)].append(weight)
    return [group for group in groups.values() if len(group) > 1]


def _values(weight: Weight) -> np.ndarray:
    return as_numpy(weight.variable._value).reshape(-1)  # noqa: SLF001  # `value` is cast within an autocast scope


def _beginning(weight: Weight) -> bytes:
    return _values(weight)[:64].tobytes()


def _digest(weight: Weight) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(_values(weight)).view(np.uint8).data, digest_size=16).digest()


def _is_drawn(weight: Weight) -> bool:
    values = _values(weight)
    first = values[0] or values[np.argmax(values != 0)]
    constant = bool((values == values[0]).all())
    return not constant and not bool(((values == 0) | (values == first)).all())

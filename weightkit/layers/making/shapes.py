"""Shapes of inputs: axes, sizes that a layer needs, and weights shaped to match."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from keras import ops

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int | None, ...]


def input_axes(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """Axes of an input, counted from 0, in ascending order.

    Args:
        name: What messages call the argument.
        value: An axis or several, negative ones counted from the end.
        rank: The rank of the input.

    Raises:
        RequestError: An axis is outside the input, is the batch axis, or occurs twice.

    Example:
        >>> input_axes("axis", -1, 3)
        (2,)
        >>> input_axes("axis", 4, 3)
        Traceback (most recent call last):
        weightkit.errors.RequestError: axis must have axes from 1 to 2, each once, for an input of rank 3, got 4
    """
    given = (value,) if isinstance(value, numbers.Integral) else tuple(value)
    # An axis outside becomes 0, the batch axis, which is refused as well.
    found = sorted(int(axis) % rank if -rank <= axis < rank else 0 for axis in given)
    if 0 in found or len(set(found)) < len(found) or not found:
        raise RequestError(
            f"{name} must have axes from 1 to {rank - 1}, each once, for an input of rank {rank}, got {value!r}"
        )
    return tuple(found)


def known_sizes(layer: Any, shape: Sequence[int | None], axes: Sequence[int]) -> tuple[int, ...]:
    """The sizes of an input along some axes.

    Raises:
        RequestError: A size is None.

    Example:
        >>> known_sizes("layer", (None, 4, 3), [2])
        (3,)
        >>> known_sizes("layer", (None, None, 3), [1])
        Traceback (most recent call last):
        weightkit.errors.RequestError: layer: the input must have a known size along axis 1, which is None in ...
    """
    found = []
    for axis in axes:
        size = shape[axis]
        if size is None:
            name = getattr(layer, "name", layer)
            raise RequestError(
                f"{name}: the input must have a known size along axis {axis}, which is None in {tuple(shape)}"
            )
        found.append(int(size))
    return tuple(found)


def required_rank(layer: Any, shape: Sequence[Any], least: int, most: int | None = None) -> None:
    """Refuse an input of another rank.

    Raises:
        RequestError: The input has another rank.

    Example:
        >>> required_rank("layer", (None, 3), 3)
        Traceback (most recent call last):
        weightkit.errors.RequestError: layer: the input must have rank >= 3, got rank 2, shape (None, 3)
    """
    if len(shape) < least or (most is not None and len(shape) > most):
        name = getattr(layer, "name", layer)
        wanted = f">= {least}" if most is None else str(least) if most == least else f"{least} to {most}"
        raise RequestError(f"{name}: the input must have rank {wanted}, got rank {len(shape)}, shape {tuple(shape)}")


def along(weight: Any, axes: Sequence[int], rank: int) -> Any:
    """Reshape a weight, with one axis for each of ``axes``, so that it broadcasts to an input of ``rank``."""
    sizes = iter(weight.shape)
    return ops.reshape(weight, [next(sizes) if axis in axes else 1 for axis in range(rank)])

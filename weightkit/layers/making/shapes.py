"""Shapes of inputs: sizes that a layer must know, and weights laid along axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = tuple[int | None, ...]


def known_sizes(layer: Any, shape: Sequence[int | None], axes: Sequence[int]) -> tuple[int, ...]:
    """The sizes along some axes.

    Raises:
        RequestError: One is unknown.

    Example:
        >>> known_sizes("it", (None, 4, 3), [2])
        (3,)
        >>> known_sizes("it", (None, None, 3), [1])
        Traceback (most recent call last):
        weightkit.errors.RequestError: it must know the input's size along axis 1, which is None in (None, None, 3)
    """
    found = []
    for axis in axes:
        size = shape[axis]
        if size is None:
            name = getattr(layer, "name", layer)
            raise RequestError(f"{name} must know the input's size along axis {axis}, which is None in {tuple(shape)}")
        found.append(int(size))
    return tuple(found)


def required_rank(layer: Any, shape: Sequence[Any], least: int, most: int | None = None) -> None:
    """Let only inputs of some ranks by.

    Raises:
        RequestError: The input's rank is another.

    Example:
        >>> required_rank("it", (None, 3), 3)
        Traceback (most recent call last):
        weightkit.errors.RequestError: it takes inputs of rank 3 and more: (None, 3) has rank 2
    """
    if len(shape) < least or (most is not None and len(shape) > most):
        name = getattr(layer, "name", layer)
        wanted = f"{least} and more" if most is None else str(least) if most == least else f"{least} to {most}"
        raise RequestError(f"{name} takes inputs of rank {wanted}: {tuple(shape)} has rank {len(shape)}")


def along(weight: Any, axes: Sequence[int], rank: int) -> Any:
    """A weight with one axis for each of ``axes``, shaped to be multiplied with an input of ``rank``."""
    sizes = iter(weight.shape)
    return ops.reshape(weight, [next(sizes) if axis in axes else 1 for axis in range(rank)])

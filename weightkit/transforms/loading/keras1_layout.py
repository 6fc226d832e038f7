"""The order of the axes in a Keras 1 kernel, from that of later versions and back.

With ``dim_ordering`` "th" Keras 1 stored (out, in, rows, columns), with "tf" (rows, columns, in, out); later versions
store the latter whatever the format of the images is, and (rows, columns, out, in) for transposed convolutions. A
one-dimensional kernel has an axis of one more: (length, 1, in, out), in Keras 1.0 (out, in, length, 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.errors import RequestError
from weightkit.transforms.loading.conversion import Conversion
from weightkit.transforms.loading.convolutions import CONVOLUTIONS, OVER_TIME, TRANSPOSED

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.transforms.loading.flattened import DataFormat

Shape = tuple[int, ...]

_RANKS = (4, 5)
"""Axes of a Keras 1 kernel of a convolution, one-dimensional ones included."""


def in_todays_layout(ref: WeightRef, wanted: Shape, classes: frozenset[str], channels: DataFormat | None) -> Conversion:
    """A kernel of Keras 1 with its axes in the order of later versions.

    Args:
        ref: The kernel, or one gate of it.
        wanted: The target's shape, which tells the order where nothing else does.
        classes: The classes of the layer on either side; none where they are not known.
        channels: The format of the source's images.

    Raises:
        RequestError: Two orders are possible, and nothing says which it is.
    """
    plain = Conversion.of(ref)
    if len(ref.shape) not in _RANKS or (classes and not classes & CONVOLUTIONS):
        return plain
    if classes & OVER_TIME or len(wanted) == len(ref.shape) - 1:
        return _over_time(plain, wanted)
    transposed = bool(classes & TRANSPOSED)
    orders = {first: _order(len(ref.shape), first=first, transposed=transposed) for first in (False, True)}
    first = _output_first(ref, wanted, orders, channels)
    return _permuted(plain, orders[first], f"axes of Keras 1 {ref.shape} put in order")


def in_keras_1_layout(kernel: Conversion, classes: frozenset[str], channels: DataFormat | None) -> Conversion:
    """A kernel in today's layout, as Keras 1 stores it: the inverse of `in_todays_layout`.

    Raises:
        RequestError: The format of the target's images is not known.
    """
    if classes & OVER_TIME:
        length, *rest = kernel.shape
        return kernel.then("axis of one of Keras 1 added", (length, 1, *rest), lambda values: values[:, np.newaxis])
    if len(kernel.shape) not in _RANKS or (classes and not classes & CONVOLUTIONS):
        return kernel
    if channels is None:
        raise RequestError(
            "nothing says in which order the target's Keras 1 kernels have their axes",
            hint="give a target that holds its configuration",
        )
    order = _order(len(kernel.shape), first=channels == "channels_first", transposed=bool(classes & TRANSPOSED))
    return _permuted(kernel, tuple(order.index(axis) for axis in range(len(order))), "axes put in Keras 1's order")


def _order(rank: int, *, first: bool, transposed: bool) -> Shape:
    """For each axis of today's kernel, which of the stored ones it is."""
    spatial = tuple(range(2, rank)) if first else tuple(range(rank - 2))
    inputs, outputs = (1, 0) if first else (rank - 2, rank - 1)
    return (*spatial, outputs, inputs) if transposed else (*spatial, inputs, outputs)


def _output_first(ref: WeightRef, wanted: Shape, orders: dict[bool, Shape], channels: DataFormat | None) -> bool:
    if channels is not None:
        return channels == "channels_first"
    made = {first: tuple(ref.shape[axis] for axis in order) for first, order in orders.items()}
    fitting = [first for first, shape in made.items() if shape == wanted]
    if not fitting:  # a first convolution for images of other channels is resized later
        fitting = [first for first, shape in made.items() if (*shape[:-2], shape[-1]) == (*wanted[:-2], *wanted[-1:])]
    if len(fitting) == 1:
        return fitting[0]
    raise RequestError(
        f"{ref.path} is a kernel of Keras 1 of shape {ref.shape}, and nothing says whether its outputs are its first "
        "axis (dim_ordering 'th') or its last ('tf')",
        hint="give data_format='channels_first' or 'channels_last'",
    )


def _permuted(kernel: Conversion, order: Shape, step: str) -> Conversion:
    if order == tuple(range(len(order))):
        return kernel
    return kernel.then(step, tuple(kernel.shape[axis] for axis in order), lambda values: values.transpose(order))


def _over_time(kernel: Conversion, wanted: Shape) -> Conversion:
    """A one-dimensional kernel without its axis of one; which of the two layouts it is, its axes of one tell."""
    length, one, inputs, outputs = kernel.shape
    later = one == 1 and (outputs != 1 or (length, inputs, outputs) == wanted)
    if later:
        step = "axis of one of Keras 1 left out"
        return kernel.then(step, (length, inputs, outputs), lambda values: values[:, 0])
    filters, inputs, length, one = kernel.shape
    if one != 1:
        raise RequestError(f"the kernel of a Convolution1D of Keras 1 must have an axis of one, got {kernel.shape}")
    step = "axes of Keras 1.0 put in order"
    return kernel.then(step, (length, inputs, filters), lambda values: values[..., 0].transpose(2, 1, 0))

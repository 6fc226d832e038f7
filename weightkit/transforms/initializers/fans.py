"""The fans of a weight: how many units it connects, by Keras' rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

Axes = Sequence[int] | None


def compute_fans(shape: Sequence[int], input_axes: Axes = None, output_axes: Axes = None) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a weight, as Keras 3.15 computes them.

    A kernel of three or more axes is a convolution's, ``(*receptive field, fan_in, fan_out)``: that of a depthwise
    convolution too, whose true fan-in is smaller. Only where the axes are given, as Keras does for EinsumDense (and so
    in attention), is that not assumed. A vector's size is both of its fans; a scalar's are 1.

    Args:
        shape: Of the weight.
        input_axes: The axes of input units.
        output_axes: The axes of output units.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) <= 1:
        return (math.prod(shape),) * 2
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field

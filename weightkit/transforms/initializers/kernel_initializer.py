"""A given initializer on a kernel whose inputs and outputs are not its last two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.transforms.initializers.matrices import FirstAxisOrthogonal, Orthogonal
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

if TYPE_CHECKING:
    from weightkit.access import WeightRef, WeightStore
    from weightkit.transforms.initializers.initializer import Initializer


def for_kernel(initializer: Initializer, store: WeightStore, ref: WeightRef) -> Initializer:
    """The initializer along the axes of this weight.

    Raises:
        RequestError: It depends on the order of the axes, and nothing says what that is.
    """
    if isinstance(initializer, VarianceScaling) and None in (initializer.input_axes, initializer.output_axes):
        axes = store.kernel_axes(ref)
        return initializer if axes is None else initializer.along(axes.inputs, axes.outputs)
    # Keras passes no axes to this one, but a convolution's outputs must be its columns.
    if isinstance(initializer, Orthogonal) and ref.layer_class != "EinsumDense":
        axes = store.kernel_axes(ref)
        return FirstAxisOrthogonal(initializer.gain) if axes is not None and axes.output_first else initializer
    return initializer

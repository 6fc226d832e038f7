"""Classes of convolutions, and the kernels that Theano mirrors.

Theano computes a true convolution, which mirrors the kernel, where the other backends compute a cross-correlation: a
kernel that was trained there must be mirrored along its spatial axes. From the sources of Keras 1.2.2 and 2.2.4; their
Theano backend mirrors the kernels of depthwise convolutions by itself, so these are stored as the others store them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.transforms.loading.conversion import Conversion
    from weightkit.transforms.loading.facts import LayerFacts

TRANSPOSED = frozenset({"Deconvolution2D", "Conv2DTranspose", "Conv3DTranspose", "Conv1DTranspose"})
"""Classes whose kernels end in (out, in) since Keras 2."""
OVER_TIME = frozenset({"AtrousConvolution1D", "Conv1D", "Convolution1D"})
MIRRORED = (
    TRANSPOSED
    | OVER_TIME
    | {
        "AtrousConvolution2D",
        "Conv2D",
        "Conv3D",
        "ConvLSTM2D",
        "ConvLSTMCell",
        "Convolution2D",
        "Convolution3D",
    }
)
"""Classes whose kernels Theano mirrors: those of Keras 1 and 2, and their names in Keras 3."""
CONVOLUTIONS = MIRRORED | {
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution2D",
}
"""All classes of convolutions."""
KERNELS = frozenset({"kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"})
_LEAST_AXES = 3


def classes_of(*sides: LayerFacts) -> frozenset[str]:
    """The classes of a pair of layers, as far as they are known."""
    return frozenset(side.class_name for side in sides) - {""}


def is_mirrored(meant: str, rank: int, classes: frozenset[str]) -> bool | None:
    """Whether Theano mirrors a weight; None where nothing says which class its layer has.

    Args:
        meant: What the weight is called today.
        rank: Number of its axes, in the layout of Keras 2.
        classes: The classes of the layer on either side.
    """
    if meant not in {"kernel", "recurrent_kernel"} or rank < _LEAST_AXES:
        return False
    if classes:
        return bool(classes & MIRRORED)
    # Three axes may be those of a LocallyConnected1D, more are a convolution's in Keras 1 and 2.
    return True if rank > _LEAST_AXES else None


def mirrored(kernel: Conversion) -> Conversion:
    """A kernel of shape (*spatial, in, out), reversed along its spatial axes."""
    axes = tuple(range(len(kernel.shape) - 2))
    return kernel.then("Theano's kernel mirrored", kernel.shape, lambda values: np.flip(values, axes))


def notes_on_padding(theirs: LayerFacts) -> Iterator[str]:
    """What else differs where a layer of Theano pads its input.

    With the padding "same", Theano adds half a kernel on both sides; TensorFlow adds less before the first element
    where the kernel is even or steps are skipped.
    """
    config = theirs.config
    same = config.get("padding", config.get("border_mode")) == "same"
    sizes = _numbers(config, "kernel_size", "nb_row", "nb_col", "filter_length")
    steps = _numbers(config, "strides", "subsample", "subsample_length")
    if same and (any(size % 2 == 0 for size in sizes) or any(step > 1 for step in steps)):
        yield (
            "Theano pads the input of this convolution otherwise (padding 'same' with an even kernel or with strides): "
            "its outputs may be shifted by one"
        )


def _numbers(config: Mapping[str, Any], *keys: str) -> list[int]:
    values = (config.get(key) for key in keys)
    listed = (value if isinstance(value, list | tuple) else [value] for value in values)
    return [one for value in listed for one in value if isinstance(one, int)]

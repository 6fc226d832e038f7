"""Which axes of a Keras 1 kernel are its inputs and outputs: with Theano's ordering, the output axis comes first.

From the source of Keras 1.2.2, and from how Keras 2.0 converted such files. Later versions keep all kernels in one
order, whatever the backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.access.names.legacy import keras1
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef

ORDERED = frozenset(
    {
        "AtrousConvolution2D",
        "ConvLSTM2D",
        "Convolution2D",
        "Convolution3D",
        "Deconvolution2D",
        "SeparableConvolution2D",
    }
)
"""Classes whose kernels follow ``dim_ordering``: "th" is (out, in, rows, columns), "tf" (rows, columns, in, out)."""
_OVER_TIME = frozenset({"AtrousConvolution1D", "Convolution1D"})
_ORDERINGS = {"th": True, "tf": False}
_KERNEL_RANKS = (4, 5)  # the one-dimensional convolution's kernel has four axes too
_BEFORE_KERAS_2 = ("", "1")  # Keras 1.0 and 1.1 wrote no version


def channels_first(config: Mapping[str, Any]) -> bool | None:
    """Whether a layer's kernels have the output axis first; None where its configuration does not say."""
    ordering = config.get("dim_ordering")
    return _ORDERINGS.get(ordering) if isinstance(ordering, str) else None


def is_output_first(ref: WeightRef, configured: Configured | None, version: str | None) -> bool:
    """Whether a weight is a convolution's kernel whose first axis is that of its outputs.

    Args:
        ref: Any weight.
        configured: The class and configuration of its layer, if known.
        version: The Keras version of its file.

    Raises:
        RequestError: It is a kernel of Keras 1, and nothing says in which order its axes are.
    """
    if not _is_kernel(ref, configured, version):
        return False
    first = None if configured is None else _output_first(configured, ref.shape)
    if first is None:
        raise RequestError(
            f"it is a kernel of Keras 1 with shape {ref.shape}, and nothing in the file says whether its first axis "
            "(dim_ordering 'th') or its last (dim_ordering 'tf') is that of the outputs"
        )
    return first


def _is_kernel(ref: WeightRef, configured: Configured | None, version: str | None) -> bool:
    if configured is not None:
        old = configured.keras_1
    else:
        old = ref.name in keras1.KINDS and (version or "").partition(".")[0] in _BEFORE_KERAS_2
    return old and len(ref.shape) in _KERNEL_RANKS


def _output_first(configured: Configured, shape: tuple[int, ...]) -> bool | None:
    """Whether the output axis of a kernel comes first; None where that is not known."""
    if configured.layer_class in ORDERED:
        return channels_first(configured.config)
    if configured.layer_class not in _OVER_TIME:
        return None
    filters, length = configured.config.get("nb_filter"), configured.config.get("filter_length")
    # Whatever the ordering is, Keras 1.1 and later write (length, 1, in, out), Keras 1.0 wrote (out, in, length, 1).
    if shape[:2] + shape[3:] == (length, 1, filters):
        return False
    return True if shape[:1] + shape[2:] == (filters, length, 1) else None

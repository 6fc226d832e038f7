"""The first convolution of a model for images of another number of channels.

The old kernel's answer to a gray image, whose channels are all equal, is kept:

* fewer channels: the kernels of those left out are added in equal shares to the ones kept; for one channel that is the
  sum of all, as in timm's ``adapt_input_conv`` (and in every recipe for gray images);
* more channels: each new one is the mean of the old, and all are multiplied by old / new; from one channel that is the
  kernel repeated and divided by the number of channels (timm repeats channels in turn, and scales alike).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from weightkit.transforms.loading.conversion import Conversion


def with_channels(kernel: Conversion, count: int) -> Conversion:
    """The kernel of a convolution for another number of input channels.

    Args:
        kernel: Of shape (*spatial, channels, filters).
        count: Channels of the result; the first ones are those of the source.
    """
    *spatial, before, filters = kernel.shape
    shape = (*spatial, count, filters)
    if count > before:
        step = f"{before} channels made {count}: new ones are the mean of the old, all times {before}/{count}"
        return kernel.then(step, shape, lambda values: _more(values, count))
    step = f"{before} channels " + ("summed" if count == 1 else f"made {count}: the others added to the first {count}")
    return kernel.then(step, shape, lambda values: _fewer(values, count))


def _more(values: np.ndarray, count: int) -> np.ndarray:
    exact = values.astype(np.float64)
    before = values.shape[-2]
    added = np.repeat(exact.mean(axis=-2, keepdims=True), count - before, axis=-2)
    result: np.ndarray = np.concatenate([exact, added], axis=-2) * (before / count)
    return result.astype(values.dtype)


def _fewer(values: np.ndarray, count: int) -> np.ndarray:
    exact = values.astype(np.float64)
    result: np.ndarray = exact[..., :count, :] + exact[..., count:, :].sum(axis=-2, keepdims=True) / count
    return result.astype(values.dtype)

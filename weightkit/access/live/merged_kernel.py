"""A kernel with its layer's low-rank update (LoRA) merged in: Keras computes it on saving, and loads it as merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.access.live.handles import as_numpy, handle_of, owned
from weightkit.access.live.live_refs import dtype_of, is_variable, shape_of
from weightkit.access.live.object_walk import is_builtin, saved_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.live.handles import Handle


class MergedKernel:
    """Sets the merged kernel as Keras loads one: the layer's own kernel takes the values, and the update becomes zero.

    Keras sets both factors to zero, which stops their training; here the first one stays, as after ``enable_lora``.
    """

    def __init__(self, compute: Callable[[], np.ndarray], kernel: Any, factor: Any) -> None:
        self._compute, self._kernel, self._factor = compute, handle_of(kernel), handle_of(factor)
        self._dtype = dtype_of(kernel)
        self._zeros = shape_of(factor), dtype_of(factor)

    def value(self) -> np.ndarray:
        """The kernel with the update, computed now."""
        return self._compute()

    def look(self, value: np.ndarray) -> np.ndarray:
        """As it was computed."""
        return value

    def keep(self, value: np.ndarray) -> tuple[Any, Any]:  # noqa: ARG002  # it is computed from these
        """The values of the kernel and of the factor."""
        return self._kept(self._kernel), self._kept(self._factor)

    def _kept(self, handle: Handle) -> Any:
        return handle.keep(handle.value())

    def set(self, values: np.ndarray) -> None:
        """The kernel takes the values; the second factor becomes zero."""
        self._kernel.set(values if values.dtype == self._dtype else owned(values.astype(self._dtype)))
        self._factor.set(owned(np.zeros(*self._zeros)))

    def put_back(self, kept: tuple[Any, Any]) -> None:
        """Both get their earlier values."""
        kernel, factor = kept
        self._kernel.put_back(kernel)
        self._factor.put_back(factor)


def merged_kernel(thing: Any, key: str, name: str | None) -> MergedKernel | None:
    """How to set a value that a layer computes on saving; None where it is not a kernel with LoRA merged in.

    Args:
        thing: The layer.
        key: The key under which it saves the value.
        name: The value's name: ``kernel`` or ``embeddings``.
    """
    if not is_builtin(thing) or not getattr(thing, "lora_enabled", False) or thing.quantization_mode is not None:
        return None
    kernel, factor = getattr(thing, f"_{name}", None), getattr(thing, f"lora_{name}_b", None)
    if not (is_variable(kernel) and is_variable(factor)):
        return None
    return MergedKernel(lambda: as_numpy(saved_values(thing)[key]), kernel, factor)

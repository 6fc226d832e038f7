"""Which axes of a kernel are its inputs and outputs, where these are not the last two.

An initializer that depends on the fans needs them: an EinsumDense tells them to its own, and Keras 1 with Theano's
ordering stored kernels with the output axis first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.names.legacy.config_tree import without_number
from weightkit.access.names.legacy.keras1_axes import is_output_first
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef

Axes = tuple[tuple[int, ...], tuple[int, ...]]

_EQUATION = re.compile(r"[.]*([a-zA-Z]+)[.]*,([a-zA-Z]+)->[.]*([a-zA-Z]+)[.]*")
_PROJECTIONS = frozenset({"query", "key", "value", "gate"})
_OUTPUTS = frozenset({"attention_output", "output"})


@dataclass(frozen=True, slots=True)
class KernelAxes:
    """The axes of a kernel; those of a convolution's receptive field are among both."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_first: bool = False
    """Whether it is the kernel of a convolution that stores the output axis first."""


def kernel_axes(ref: WeightRef, configured: Configured | None, version: str | None) -> KernelAxes | None:
    """The axes of a weight; None where Keras' rule applies, by which the last two axes are its inputs and outputs.

    Args:
        ref: Any weight.
        configured: The class and configuration of its layer, if known.
        version: The Keras version of its file or of the model.

    Raises:
        RequestError: Its axes may be in either order, and nothing says in which.
    """
    if is_output_first(ref, configured, version):
        field = tuple(range(2, len(ref.shape)))
        return KernelAxes((1, *field), (0, *field), output_first=True)
    if without_number(ref.name or "") != "kernel":
        return None
    if configured is None:
        return _of_projection(ref) if ref.layer_class == "EinsumDense" else None
    axes = einsum_axes(configured, ref.name or "", ref.layer)
    return None if axes is None else KernelAxes(*axes)


def einsum_axes(configured: Configured, name: str, layer: str | None) -> Axes | None:
    """The axes that an EinsumDense, or a subclass, passes to its kernel's initializer.

    Attention's projections have no equation here.
    """
    equation = configured.config.get("equation")
    is_einsum = configured.layer_class == "EinsumDense" or (isinstance(equation, str) and not configured.builtin)
    if not is_einsum or without_number(name) != "kernel":
        return None
    if not isinstance(equation, str):
        return ((0, 1), (2,)) if _last(layer) == "attention_output" else ((0,), (1, 2))
    parts = _EQUATION.fullmatch(equation.replace(" ", ""))
    if parts is None:
        return None
    _, kernel, output = parts.groups()
    inputs = tuple(axis for axis, letter in enumerate(kernel) if letter not in output)
    return inputs, tuple(axis for axis, letter in enumerate(kernel) if letter in output)


def _of_projection(ref: WeightRef) -> KernelAxes:
    """The axes of an EinsumDense without a configuration: only attention's projections are known by their names."""
    # Keras' own names, or the keys below the attention layer: `_query_dense`, `output_dense`.
    key = ref.owner.removesuffix("/vars").rpartition("/")[2].strip("_").removesuffix("_dense")
    for name in (_last(ref.layer), key):
        if name in _OUTPUTS:
            return KernelAxes((0, 1), (2,))
        if name in _PROJECTIONS:
            return KernelAxes((0,), (1, 2))
    raise RequestError("it is the kernel of an EinsumDense, whose equation the file does not have")


def _last(layer: str | None) -> str:
    return (layer or "").rpartition("/")[2]

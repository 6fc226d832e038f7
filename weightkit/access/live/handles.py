"""How one variable's value is viewed, set and restored on each backend.

A handle does not copy where the backend allows a view. TensorFlow and JAX values are immutable, so the value from
before an edit is kept by reference; PyTorch's are written in place, so it is copied. A large edit keeps neither, and
restores from a file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_ALIGNMENT = 64  # bytes: TensorFlow and JAX need this to take over memory without a copy


class Handle(Protocol):
    """One variable of a model."""

    def value(self) -> Any:
        """The current value in the backend's own form, by reference if possible."""

    def look(self, value: Any) -> np.ndarray:
        """A value as an array, perhaps in the variable's own memory: do not change or keep it."""

    def keep(self, value: Any) -> Any:
        """A value to restore later, whatever happens to the variable meanwhile."""

    def set(self, values: np.ndarray) -> None:
        """Give the variable new values; it then owns the array."""

    def put_back(self, kept: Any) -> None:
        """Restore a value that `keep` returned."""


class AnyHandle:
    """Works on every backend, by copying values."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable

    def value(self) -> Any:
        """The variable's value, or the first replica's."""
        return self._variable._value  # noqa: SLF001  # `value` is cast within an autocast scope

    def look(self, value: Any) -> np.ndarray:
        """As the backend gives it."""
        return as_numpy(value)

    def keep(self, value: Any) -> Any:
        """A copy."""
        return as_numpy(value).copy()

    def set(self, values: np.ndarray) -> None:
        """By ``assign``, which keeps replicas in step."""
        self._variable.assign(values)

    def put_back(self, kept: Any) -> None:
        """By ``assign``."""
        self._variable.assign(kept)


class TensorFlowHandle(AnyHandle):
    """A plain variable of TensorFlow in the memory of this machine.

    It uses raw operations: the methods of ``tf.Variable`` take twice as long, which matters for 1,000 small variables.
    """

    def value(self) -> Any:
        """The tensor; later changes of the variable do not change it."""
        variable = self._variable._value  # noqa: SLF001
        return _raw().ReadVariableOp(resource=variable.handle, dtype=variable.dtype)

    def keep(self, value: Any) -> Any:
        """A reference only."""
        return value

    def set(self, values: np.ndarray) -> None:
        """The array's own memory becomes the variable's."""
        self.put_back(_tensor_of(values))

    def put_back(self, kept: Any) -> None:
        """A reference only."""
        _raw().AssignVariableOp(resource=self._variable._value.handle, value=kept)  # noqa: SLF001


class JaxHandle(AnyHandle):
    """A variable of JAX, on any devices."""

    def keep(self, value: Any) -> Any:
        """A reference only: JAX arrays are immutable."""
        return value

    def set(self, values: np.ndarray) -> None:
        """On the same devices as the old array; uncommitted if that was uncommitted."""
        before = self.value()
        put: Callable[..., Any] = sys.modules["jax"].device_put
        # JAX refuses to compute with arrays that are committed to different devices.
        bound = getattr(before, "committed", True)
        self._variable.assign(put(values, before.sharding) if bound else put(values))

    def put_back(self, kept: Any) -> None:
        """A reference only."""
        self._variable._value = kept  # noqa: SLF001


class TorchHandle(AnyHandle):
    """A variable of PyTorch in the memory of this machine: written in place, so that whatever shares it sees it."""

    def set(self, values: np.ndarray) -> None:
        """Into the parameter's own memory: the optimizer and views stay valid."""
        # On the CPU, which `handle_of` requires, the array is the parameter's own memory.
        as_numpy(self.value())[...] = values

    def put_back(self, kept: Any) -> None:
        """Into the same memory."""
        self.set(kept)


def handle_of(variable: Any) -> Handle:
    """The handle for a Keras variable."""
    value = variable._value  # noqa: SLF001
    home = _home(value)
    # Not for distributed variables: a raw operation would set one replica and leave the others.
    if home == "tensorflow" and type(value).__name__ == "ResourceVariable" and _on_cpu(value):
        return TensorFlowHandle(variable)
    if home in {"jax", "jaxlib"}:
        return JaxHandle(variable)
    if home == "torch" and value.device.type == "cpu":
        return TorchHandle(variable)
    return AnyHandle(variable)


def as_numpy(value: Any) -> np.ndarray:
    """A backend's value as an array, without a copy if the backend allows it."""
    home = _home(value)
    if home == "torch":
        return _torch_as_numpy(value)
    if home == "tensorflow":
        try:
            # The tensor's own memory; its `numpy()` copies.
            return np.asarray(memoryview(value))
        except (TypeError, ValueError):  # variables, tensors elsewhere, bfloat16
            return np.asarray(value.numpy())
    return np.asarray(value)


def writable(size: int, dtype: np.dtype) -> np.ndarray:
    """An uninitialized flat array, in memory that a backend may take over."""
    nbytes = size * dtype.itemsize
    memory = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -memory.__array_interface__["data"][0] % _ALIGNMENT
    return memory[start : start + nbytes].view(dtype)


def owned(values: np.ndarray) -> np.ndarray:
    """A copy in memory that nothing else uses and a backend may take over."""
    own = writable(values.size, values.dtype).reshape(values.shape)
    own[...] = values
    return own


def _raw() -> Any:
    return sys.modules["tensorflow"].raw_ops


# By name: a backend that is not in use must not be imported, which takes seconds.
def _home(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _on_cpu(variable: Any) -> bool:
    return "CPU:" in variable.device  # /job:localhost/replica:0/task:0/device:CPU:0


def _torch_as_numpy(value: Any) -> np.ndarray:
    # The same memory on the CPU; NumPy refuses a tensor that needs a gradient.
    data = value.detach().cpu()
    try:
        found: np.ndarray = data.numpy()
    except TypeError:  # bfloat16 and the kinds of float8
        name = str(data.dtype).removeprefix("torch.")
        dtype = np.dtype(getattr(ml_dtypes, name))
        found = data.view(_torch_bytes(dtype.itemsize)).numpy().view(dtype)
    return found


def _torch_bytes(itemsize: int) -> Any:
    torch: Any = sys.modules["torch"]
    return {1: torch.uint8, 2: torch.int16}[itemsize]


def _tensor_of(values: np.ndarray) -> Any:
    """A tensor in an array's memory; a copy if DLPack does not know the type."""
    tensorflow: Any = sys.modules["tensorflow"]
    try:
        return tensorflow.experimental.dlpack.from_dlpack(values.__dlpack__())
    except (BufferError, TypeError):  # bfloat16
        return tensorflow.convert_to_tensor(values)

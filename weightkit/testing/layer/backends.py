"""What the tests need from the backend itself: gradients, compiled calls, double precision.

Each backend is imported only where it is already in use; Keras when it is first needed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    keras: Any


def __getattr__(name: str) -> Any:
    if name == "keras":
        return importlib.import_module("keras")
    raise AttributeError(f"module 'weightkit.testing.layer.backends' has no attribute {name!r}")


def backend() -> str:
    """``tensorflow``, ``jax`` or ``torch``."""
    found: str = importlib.import_module("keras").backend.backend()
    return found


def array(value: Any) -> np.ndarray:
    """A backend's tensor as an array."""
    found: np.ndarray = importlib.import_module("keras").ops.convert_to_numpy(value)
    return found


def tensor(values: np.ndarray) -> Any:
    """An array as a tensor of the same type."""
    return importlib.import_module("keras").ops.convert_to_tensor(values, dtype=values.dtype.name)


def with_values(layer: Any, values: Sequence[tuple[Any, Any]], inputs: Any, *, training: bool) -> Any:
    """Call a layer while its variables have other values; afterwards they have their own values again."""
    others = [variable for variable in layer.variables if all(variable is not one for one, _ in values)]
    # All of them: a StatelessScope hides the values of a scope around it.
    mapping = [*values, *((variable, variable.value) for variable in others)]
    with importlib.import_module("keras").StatelessScope(state_mapping=mapping):
        return layer(inputs, training=training)


def stateless_arguments(layer: Any, *, training: bool) -> dict[str, bool]:
    """Arguments for ``stateless_call``, which passes them to ``call``: ``training``, if ``call`` takes it."""
    return {"training": training} if "training" in inspect.signature(layer.call).parameters else {}


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Compute float64 in 64 bits, which JAX and Keras on PyTorch reduce to 32 bits by default."""
    if backend() == "tensorflow":
        yield
        return
    with contextlib.ExitStack() as stack:
        if backend() == "jax":
            import jax  # noqa: PLC0415

            stack.enter_context(jax.enable_x64(True))
        # Keras 3.15: on JAX and PyTorch, operations of two float64 tensors, matmul among them, have a float32 result.
        narrowed = importlib.import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE
        # Before the change, so that it is undone whatever happens.
        stack.callback(narrowed.update, dict(narrowed))
        narrowed["float64"] = "float64"
        yield


def gradients(
    layer: Any, inputs: Sequence[np.ndarray], cotangent: np.ndarray, call: Callable[[list[Any]], Any], *, training: bool
) -> tuple[list[np.ndarray | None], list[np.ndarray | None]]:
    """Gradients of ``sum(output * cotangent)``.

    Args:
        layer: A built layer.
        inputs: Its inputs; integers have no gradient.
        cotangent: In the shape of the output.
        call: From a list of tensors to what the layer takes: the one, or the list.
        training: Whether the layer is called as in training.

    Returns:
        One for each input and one for each trainable variable; None if the output does not depend on it.
    """
    by_backend = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}
    of_inputs, of_weights = by_backend[backend()](layer, [tensor(one) for one in inputs], cotangent, call, training)
    return [_maybe(one) for one in of_inputs], [_maybe(one) for one in of_weights]


def _maybe(value: Any) -> np.ndarray | None:
    return None if value is None else array(value)


def _by_tensorflow(layer: Any, tensors: list[Any], cotangent: Any, call: Any, training: bool) -> Any:
    import tensorflow as tf  # noqa: PLC0415

    floats = [one for one in tensors if one.dtype.is_floating]
    with tf.GradientTape() as tape:
        # The tape follows variables by itself, and inputs only when it is told to.
        tape.watch(floats)
        loss = tf.reduce_sum(layer(call(tensors), training=training) * cotangent)
    weights = [variable._value for variable in layer.trainable_variables]  # noqa: SLF001
    # The gradient of an Embedding is sparse (IndexedSlices).
    found = [None if g is None else tf.convert_to_tensor(g) for g in tape.gradient(loss, [*floats, *weights])]
    of_floats = iter(found)
    return [next(of_floats) if one.dtype.is_floating else None for one in tensors], found[len(floats) :]


def _by_jax(layer: Any, tensors: list[Any], cotangent: Any, call: Any, training: bool) -> Any:
    import jax  # noqa: PLC0415

    is_float = [jax.numpy.issubdtype(one.dtype, jax.numpy.floating) for one in tensors]

    def loss(weights: list[Any], floats: list[Any]) -> Any:
        given = iter(floats)
        whole = [next(given) if real else one for one, real in zip(tensors, is_float, strict=True)]
        given_weights = list(zip(layer.trainable_variables, weights, strict=True))
        return (with_values(layer, given_weights, call(whole), training=training) * cotangent).sum()

    weights = [variable.value for variable in layer.trainable_variables]
    floats = [one for one, real in zip(tensors, is_float, strict=True) if real]
    # Compiled whole: operation by operation, JAX compiles each one of the hundreds that a gradient has.
    of_weights, of_floats = jax.jit(jax.grad(loss, argnums=(0, 1)))(weights, floats)
    remaining = iter(of_floats)
    return [next(remaining) if real else None for real in is_float], of_weights


def _by_torch(layer: Any, tensors: list[Any], cotangent: Any, call: Any, training: bool) -> Any:
    import torch  # noqa: PLC0415

    floats = [one.requires_grad_() for one in tensors if one.is_floating_point()]
    weights = [variable._value for variable in layer.trainable_variables]  # noqa: SLF001
    output = layer(call(tensors), training=training)
    loss = (output * torch.as_tensor(cotangent)).sum()
    # `autograd.grad` raises where the output depends on nothing.
    if not loss.requires_grad:
        return [None] * len(tensors), [None] * len(weights)
    found = torch.autograd.grad(loss, [*floats, *weights], allow_unused=True)
    of_floats = iter(found)
    return [next(of_floats) if one.is_floating_point() else None for one in tensors], found[len(floats) :]


def compiled(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """A function of tensors, compiled in each way that the backend has, by name of the way."""
    return {"tensorflow": _tensorflow_ways, "jax": _jax_ways, "torch": _torch_ways}[backend()](function)


def _tensorflow_ways(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    import tensorflow as tf  # noqa: PLC0415

    return {"graph": tf.function(function), "xla": tf.function(function, jit_compile=True)}


def _jax_ways(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    import jax  # noqa: PLC0415

    return {"xla": jax.jit(function)}


def _torch_ways(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    import torch  # noqa: PLC0415

    torch.compiler.reset()  # or the eighth function from one line of code is not compiled any more
    # Captured as a graph and run without compiling it: the compiler is PyTorch's own.
    return {"graph": torch.compile(function, backend="eager")}


def two_processors() -> None:
    """Let TensorFlow see this machine's processor as two devices; call it before anything else of TensorFlow."""
    import tensorflow as tf  # noqa: PLC0415

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


@functools.cache
def two_replicas() -> Any:
    """A TensorFlow strategy with a replica on each of two devices; one per process, since two get mixed up."""
    import tensorflow as tf  # noqa: PLC0415

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def serve_exported(folder: Any, inputs: Any) -> np.ndarray:
    """The output of a served SavedModel, with TensorFlow alone."""
    import tensorflow as tf  # noqa: PLC0415

    served = tf.saved_model.load(str(folder))  # its variables last as long as it does
    found: np.ndarray = served.serve(inputs).numpy()
    return found

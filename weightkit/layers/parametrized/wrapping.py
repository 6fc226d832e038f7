"""Which layers can be wrapped: each in one wrapper at most, since two would not see what the other trains."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Weak on both sides: the record keeps neither a layer nor a wrapper in memory.
_WRAPPERS: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def note_wrapper(layer: Any, wrapper: Any) -> None:
    """Record that a layer is inside a wrapper, as long as both exist."""
    _WRAPPERS[layer] = weakref.ref(wrapper)


def forget_wrapper(layer: Any) -> None:
    """Record that a layer is not in its wrapper any more."""
    _WRAPPERS.pop(layer, None)


def every_variable(layer: Any) -> Iterator[Any]:
    """The variables of a layer, each once, with the states of recurrent layers, which ``variables`` may leave out."""
    seen: set[int] = set()
    states = (getattr(one, "states", None) or () for one in layer._flatten_layers())  # noqa: SLF001
    for one in itertools.chain(layer.variables, keras.tree.flatten(list(states))):
        if isinstance(one, keras.Variable) and id(one) not in seen:
            seen.add(id(one))
            yield one


def outermost(layer: Any) -> Any:
    """The outermost wrapper around a layer; the layer itself where there is none."""
    while (wrapper := _wrapper(layer)) is not None:
        layer = wrapper
    return layer


def require_wrappable(layer: Any) -> None:
    """Refuse a layer that cannot be wrapped.

    Raises:
        RequestError: It is not a layer, part of a model, in another wrapper, quantized, or made in a RematScope on
            TensorFlow.
    """
    if not isinstance(layer, keras.layers.Layer):
        raise RequestError(f"Parametrized: layer must be a Keras layer, got {layer!r}")
    if layer._inbound_nodes:  # noqa: SLF001
        raise RequestError(
            f"the layer {layer.name!r} must not be part of a model, which would go on using it without the wrapper",
            hint="use parametrize(model, where, ...), or wrap a new layer",
        )
    require_unwrapped(layer)
    for one in layer._flatten_layers():  # noqa: SLF001
        if getattr(one, "quantization_mode", None):
            raise RequestError(f"the layer {one.name!r} must not be quantized: its weights are integers")
        if keras.backend.backend() == "tensorflow" and getattr(one, "_remat_mode", None) is not None:
            raise RequestError(
                f"the layer {one.name!r} must not be made in a RematScope, which TensorFlow cannot compute weights in",
                hint="make it outside the scope",
            )


def require_unwrapped(layer: Any) -> None:
    """Refuse a layer with weights, its own or of a layer in it, that another wrapper computes.

    Raises:
        RequestError: There is such a wrapper.
    """
    inside = layer._flatten_layers()  # noqa: SLF001
    if _wrapped_elsewhere(inside) is None:
        return
    gc.collect()  # deleted layers are in reference cycles, and may still exist
    one = _wrapped_elsewhere(inside)
    if one is not None:
        raise RequestError(
            f"the layer {one.name!r} is inside another Parametrized, whose weights would no longer be trained",
            hint="wrap the wrapper, or name all weights in one wrapper",
        )


def _wrapped_elsewhere(inside: list[Any]) -> Any:
    """The first of the layers with a wrapper that is not one of them, or None."""
    ours = {id(one) for one in inside}
    wrappers = ((one, _wrapper(one)) for one in inside)
    return next((one for one, wrapper in wrappers if wrapper is not None and id(wrapper) not in ours), None)


def _wrapper(layer: Any) -> Any:
    reference = _WRAPPERS.get(layer)
    return None if reference is None else reference()

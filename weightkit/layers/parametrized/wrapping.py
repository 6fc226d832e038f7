"""Which layers may be wrapped, and by which wrapper: one at most, since two would each lose what the other trains."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRAPPERS: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def note_wrapper(layer: Any, wrapper: Any) -> None:
    """Remember, for as long as both live, that a layer is inside a wrapper."""
    _WRAPPERS[layer] = weakref.ref(wrapper)


def every_variable(layer: Any) -> Iterator[Any]:
    """The variables of a layer, each once; those too in which recurrent layers keep their states, and do not list."""
    seen: set[int] = set()
    states = (getattr(one, "states", None) or () for one in layer._flatten_layers())  # noqa: SLF001
    for one in itertools.chain(layer.variables, keras.tree.flatten(list(states))):
        if isinstance(one, keras.Variable) and id(one) not in seen:
            seen.add(id(one))
            yield one


def outermost(layer: Any) -> Any:
    """The wrapper around a layer, or the one around that; the layer itself where there is none."""
    while (wrapper := _wrapper(layer)) is not None:
        layer = wrapper
    return layer


def require_wrappable(layer: Any) -> None:
    """Refuse what no wrapper can be put around.

    Raises:
        RequestError: It is no layer, part of a model, in another wrapper, quantized, or made in a RematScope on
            TensorFlow.
    """
    if not isinstance(layer, keras.layers.Layer):
        raise RequestError(f"Parametrized: layer={layer!r} is no layer of Keras")
    if layer._inbound_nodes:  # noqa: SLF001
        raise RequestError(
            f"the layer {layer.name!r} is part of a model, whose weights would be computed in one place only",
            hint="use parametrize(model, where, ...), or wrap a new layer",
        )
    require_unwrapped(layer)
    for one in layer._flatten_layers():  # noqa: SLF001
        if getattr(one, "quantization_mode", None):
            raise RequestError(f"the layer {one.name!r} is quantized: its weights are integers")
        if keras.backend.backend() == "tensorflow" and getattr(one, "_remat_mode", None) is not None:
            raise RequestError(
                f"the layer {one.name!r} was made in a RematScope, in which TensorFlow cannot compute weights",
                hint="make it outside the scope",
            )


def require_unwrapped(layer: Any) -> None:
    """Refuse a layer that a wrapper outside it computes weights of, or of one inside it.

    Raises:
        RequestError: There is such a wrapper.
    """
    inside = layer._flatten_layers()  # noqa: SLF001
    if _wrapped_elsewhere(inside) is None:
        return
    gc.collect()  # layers hold each other in circles, and one that was given up may be there still
    one = _wrapped_elsewhere(inside)
    if one is not None:
        raise RequestError(
            f"the layer {one.name!r} is inside another Parametrized, which would lose its weights from training",
            hint="wrap the wrapper, or name all its weights in one",
        )


def _wrapped_elsewhere(inside: list[Any]) -> Any:
    """The first of the layers whose wrapper is none of them, or None."""
    ours = {id(one) for one in inside}
    wrappers = ((one, _wrapper(one)) for one in inside)
    return next((one for one, wrapper in wrappers if wrapper is not None and id(wrapper) not in ours), None)


def _wrapper(layer: Any) -> Any:
    reference = _WRAPPERS.get(layer)
    return None if reference is None else reference()

"""Which wrapper computes the weights of a layer: one at most, since two would each lose what the other trains."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from weightkit.errors import RequestError

_WRAPPERS: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def note_wrapper(layer: Any, wrapper: Any) -> None:
    """Remember, for as long as both live, that a layer is inside a wrapper."""
    _WRAPPERS[layer] = weakref.ref(wrapper)


def outermost(layer: Any) -> Any:
    """The wrapper around a layer, or the one around that; the layer itself where there is none."""
    while (wrapper := _wrapper(layer)) is not None:
        layer = wrapper
    return layer


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
            mend="wrap the wrapper, or name all its weights in one",
        )


def _wrapped_elsewhere(inside: list[Any]) -> Any:
    """The first of the layers whose wrapper is none of them, or None."""
    ours = {id(one) for one in inside}
    wrappers = ((one, _wrapper(one)) for one in inside)
    return next((one for one, wrapper in wrappers if wrapper is not None and id(wrapper) not in ours), None)


def _wrapper(layer: Any) -> Any:
    reference = _WRAPPERS.get(layer)
    return None if reference is None else reference()

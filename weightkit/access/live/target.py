"""What can be opened in memory: a model, a layer, an optimizer, or a list of variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from weightkit.access.live.live_refs import is_variable
from weightkit.access.live.saving_rules import is_saveable
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

# In turn: tf_keras, Keras up to 2.12, Keras 2.13 to 2.15, and TensorFlow's own copy.
_KERAS_2 = ("tf_keras", "keras.engine", "keras.src.engine", "tensorflow.python.keras")
_HINT = "give a path, a Keras model or layer, or a list of variables"


def require_saveable(target: Any) -> Any:
    """Require a model or layer of Keras 3 that is built.

    Raises:
        RequestError: It is something else, or has no weights yet.
    """
    if any(kind.__module__.startswith(_KERAS_2) for kind in type(target).__mro__):
        raise RequestError(
            f"the target is {type(target).__name__} of Keras 2, whose models can only be read from files",
            hint="save it and give the path of the file, or load it with Keras 3",
        )
    if not is_saveable(target):
        raise RequestError(f"the target must be a path or a Keras 3 model, got {_what(target)}", hint=_hint(target))
    if not getattr(target, "built", True):
        raise RequestError(
            f"{label_of(target)} has not been built and has no weights yet",
            hint="call it on some data, or build it with build(input_shape)",
        )
    return target


def require_variables(target: Sequence[Any]) -> Sequence[Any]:
    """Require variables of Keras 3 that are built.

    Raises:
        RequestError: An item of the list is not a variable, or has no value yet.
    """
    if not target:
        raise RequestError("the list of variables is empty", hint=_HINT)
    for i, variable in enumerate(target):
        if not is_variable(variable) or not hasattr(variable, "path"):
            raise RequestError(
                f"each item of a list must be a Keras 3 variable, got {_what(variable)} at index {i}",
                hint=_hint(variable),
            )
        if variable._value is None:  # noqa: SLF001  # Keras defers it within a stateless scope
            raise RequestError(f"the variable {variable.path} has no value yet", hint="build its layer first")
    return target


def _what(thing: Any) -> str:
    """What something is that cannot be opened."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    return f"the function {thing.__name__}" if _is_function(thing) else type(thing).__name__


def _is_function(thing: Any) -> bool:
    return callable(thing) and hasattr(thing, "__name__")


def _hint(thing: object) -> str:
    """What to give instead of something that cannot be opened."""
    return next((hint for is_one, hint in _HINTS if is_one(thing)), _HINT)


def label_of(thing: Any) -> str:
    """What messages call a live object."""
    name = getattr(thing, "name", None)
    return f"{type(thing).__name__} '{name}'" if isinstance(name, str) else f"this {type(thing).__name__}"


# What else people give, and what to give instead; the first that fits.
_HINTS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda thing: isinstance(thing, str | os.PathLike), "give one path: each file is opened by itself"),
    (lambda thing: isinstance(thing, type), "give a model, not its class"),
    (lambda thing: isinstance(thing, bytes), "give the path of a file, as text"),
    (
        lambda thing: hasattr(thing, "read") and hasattr(thing, "seek"),
        "give the path of the file, not the open file or its content",
    ),
    (
        lambda thing: hasattr(thing, "dtype"),
        "give the model: arrays alone, as model.get_weights() returns them, have no names",
    ),
    (
        lambda thing: isinstance(thing, Mapping),
        "give the model or the file that the values are from: a mapping of them has no layers",
    ),
    (_is_function, "give the model itself"),
)

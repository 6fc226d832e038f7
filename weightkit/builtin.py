"""Whether a class is Keras' own: by where it was defined, or by what a configuration says of it."""

from __future__ import annotations

from typing import Any

_KERAS = ("keras", "tf_keras", "tensorflow")
"""Where Keras' own classes were defined in one version or another."""


def defined_in(made: Any, package: str = "keras") -> bool:
    """Whether a class or a function was defined in a package.

    Example:
        >>> from json import JSONDecoder
        >>> defined_in(JSONDecoder, "json"), defined_in(JSONDecoder)
        (True, False)
    """
    return bool(made.__module__.partition(".")[0] == package)


def may_be_builtin(module: Any, *names: Any) -> bool:
    """Whether a class in a configuration may be Keras' own: before Keras 3, a configuration has only its name.

    Args:
        module: Where the class was defined; anything but text says nothing.
        names: The class's name and the name under which it is registered; ``mine>Dense`` is somebody's.

    Example:
        >>> may_be_builtin("keras.layers", "Dense"), may_be_builtin(None, "Dense"), may_be_builtin("mine", "Dense")
        (True, True, False)
        >>> may_be_builtin("keras.layers", "Dense", "mine>Dense")
        False
    """
    foreign = isinstance(module, str) and module.partition(".")[0] not in _KERAS
    return not foreign and not any(isinstance(name, str) and ">" in name for name in names)

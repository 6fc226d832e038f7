"""Make an initializer from a name, a name with arguments, a dict or an object."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, cast

from weightkit.builtin import may_be_builtin
from weightkit.errors import RequestError
from weightkit.transforms.initializers.constant import Constant, Ones, Zeros
from weightkit.transforms.initializers.matrices import Identity, Orthogonal
from weightkit.transforms.initializers.random import RandomNormal, RandomUniform, TruncatedNormal
from weightkit.transforms.initializers.variance_scaling import VarianceScaling

if TYPE_CHECKING:
    from weightkit.transforms.initializers.initializer import Initializer

_PLAIN = (Constant, Identity, Ones, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros)
_IGNORED = ("seed", "dtype", "name")
"""Arguments in Keras' configurations that have no effect here: draws have their own seeds, weights their own dtypes."""
_HINT = "give a Keras name, such as he_normal, glorot_uniform, orthogonal, zeros or 'random_normal(stddev=0.02)'"


def get(spec: object) -> Initializer:
    """Return the initializer that ``spec`` describes.

    Args:
        spec: A Keras name (``he_normal``, ``HeNormal``); a name with arguments (``random_normal(stddev=0.02)``); a
            configuration (``{"class_name": "HeNormal", "config": {}}``); an initializer object of Keras or weightkit.

    Raises:
        RequestError: It is not a built-in Keras initializer, or its arguments are wrong.
    """
    if isinstance(spec, str):
        return _from_text(spec)
    if isinstance(spec, Mapping):
        return _from_config(spec)
    # weightkit's own initializers, which need not be parsed.
    if is_dataclass(spec) and not isinstance(spec, type) and hasattr(spec, "objection"):
        return cast("Initializer", spec)
    if hasattr(spec, "get_config") and not isinstance(spec, type):
        return _from_object(spec)
    raise RequestError(f"{spec!r} is not an initializer", hint=_HINT)


def _from_text(text: str) -> Initializer:
    try:
        # Parsed and never run: the text may come from a file.
        called = ast.parse(text.strip(), mode="eval").body
        if isinstance(called, ast.Name):
            return _made(called.id, (), {})
        if isinstance(called, ast.Call) and isinstance(called.func, ast.Name):
            positional = [ast.literal_eval(argument) for argument in called.args]
            named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in called.keywords}
            return _made(called.func.id, positional, named)
    # All that `ast` raises; MemoryError and RecursionError come from deep nesting.
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError):
        pass
    raise RequestError(f"{text!r} is not an initializer", hint=_HINT)


def _from_config(spec: Mapping[str, Any]) -> Initializer:
    name, config = spec.get("class_name"), spec.get("config", {})
    registered, module = spec.get("registered_name"), spec.get("module")
    builtin = may_be_builtin(None if module == "builtins" else module, registered)
    if not isinstance(name, str) or not isinstance(config, Mapping) or not builtin:
        raise RequestError(f"{registered or name or dict(spec)!r} is not a built-in Keras initializer", hint=_HINT)
    return _made(name, (), {key: value for key, value in config.items() if key not in _IGNORED})


def _from_object(initializer: Any) -> Initializer:
    """From the configuration of a Keras object; this does not import Keras."""
    kind = type(initializer)
    module = kind.__module__.split(".")[0]
    return _from_config({"class_name": kind.__name__, "module": module, "config": initializer.get_config()})


def _made(name: str, positional: Any, named: Mapping[str, Any]) -> Initializer:
    make = _MAKERS.get(_bare(name))
    if make is None:
        raise RequestError(f"{name} is not a built-in Keras initializer", hint=_HINT)
    try:
        return make(*positional, **named)
    except TypeError as error:
        # Python's message begins with the name of a method that no user called.
        wrong = str(error).partition("() ")[2] or str(error)
        raise RequestError(f"{name} {wrong}", hint=_arguments(name, make)) from None


def _bare(name: str) -> str:
    """``HeNormal``, ``he_normal`` and TensorFlow 1's ``HeNormalV2`` are the same."""
    return re.sub(r"V[12]$", "", name).replace("_", "").lower().removesuffix("initializer")


def _arguments(name: str, make: Callable[..., Initializer]) -> str:
    known: list[str] = [one.name for one in fields(make)] if is_dataclass(make) else []
    return f"{name} takes {', '.join(known) or 'no arguments'}"


def _scaling(scale: float, mode: str, distribution: str) -> Callable[..., Initializer]:
    """A Keras class that is variance scaling with fixed numbers."""

    def make(*, input_axes: Any = None, output_axes: Any = None) -> Initializer:
        return VarianceScaling(scale, mode, distribution, input_axes, output_axes)

    return make


_MAKERS: Mapping[str, Callable[..., Initializer]] = {
    **{_bare(plain.__name__): plain for plain in _PLAIN},
    "glorotnormal": _scaling(1.0, "fan_avg", "truncated_normal"),
    "glorotuniform": _scaling(1.0, "fan_avg", "uniform"),
    "henormal": _scaling(2.0, "fan_in", "truncated_normal"),
    "heuniform": _scaling(2.0, "fan_in", "uniform"),
    "lecunnormal": _scaling(1.0, "fan_in", "truncated_normal"),
    "lecununiform": _scaling(1.0, "fan_in", "uniform"),
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}

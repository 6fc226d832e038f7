"""An initializer from what people and configurations say: a name, a name with arguments, a dict, an object."""

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
_NOT_OURS = ("seed", "dtype", "name")
"""What a configuration of Keras says besides: draws have their own seeds, weights their own types."""
_HINT = "give one of Keras' names, such as he_normal, glorot_uniform, orthogonal, zeros or 'random_normal(stddev=0.02)'"


def get(said: object) -> Initializer:
    """The initializer that is meant.

    Args:
        said: A name of Keras' (``he_normal``, ``HeNormal``); a name with arguments (``random_normal(stddev=0.02)``);
            a configuration (``{"class_name": "HeNormal", "config": {}}``); an initializer of Keras or of ours.

    Raises:
        RequestError: It is none of Keras' own, or its arguments are wrong.
    """
    if isinstance(said, str):
        return _from_text(said)
    if isinstance(said, Mapping):
        return _from_config(said)
    if is_dataclass(said) and not isinstance(said, type) and hasattr(said, "objection"):
        return cast("Initializer", said)
    if hasattr(said, "get_config") and not isinstance(said, type):
        return _from_object(said)
    raise RequestError(f"{said!r} is no initializer", hint=_HINT)


def _from_text(text: str) -> Initializer:
    try:
        called = ast.parse(text.strip(), mode="eval").body
        if isinstance(called, ast.Name):
            return _made(called.id, (), {})
        if isinstance(called, ast.Call) and isinstance(called.func, ast.Name):
            positional = [ast.literal_eval(argument) for argument in called.args]
            named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in called.keywords}
            return _made(called.func.id, positional, named)
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError):
        pass
    raise RequestError(f"{text!r} is no initializer", hint=_HINT)


def _from_config(said: Mapping[str, Any]) -> Initializer:
    name, config = said.get("class_name"), said.get("config", {})
    registered, module = said.get("registered_name"), said.get("module")
    own = may_be_builtin(None if module == "builtins" else module, registered)  # nobody's own module
    if not isinstance(name, str) or not isinstance(config, Mapping) or not own:
        raise RequestError(f"the initializer {registered or name or dict(said)!r} is none of Keras' own", hint=_HINT)
    return _made(name, (), {key: value for key, value in config.items() if key not in _NOT_OURS})


def _from_object(said: Any) -> Initializer:
    """Keras' own, by its configuration: Keras need not be imported for that."""
    module = type(said).__module__.split(".")[0]
    return _from_config({"class_name": type(said).__name__, "module": module, "config": said.get_config()})


def _made(name: str, positional: Any, named: Mapping[str, Any]) -> Initializer:
    make = _MAKERS.get(_bare(name))
    if make is None:
        raise RequestError(f"{name} is no initializer of Keras'", hint=_HINT)
    try:
        return make(*positional, **named)
    except TypeError as error:
        wrong = str(error).partition("() ")[2] or str(error)
        raise RequestError(f"{name} {wrong}", hint=_arguments(name, make)) from None


def _bare(name: str) -> str:
    """``HeNormal``, ``he_normal`` and TensorFlow 1's ``HeNormalV2`` are one."""
    return re.sub(r"V[12]$", "", name).replace("_", "").lower().removesuffix("initializer")


def _arguments(name: str, make: Callable[..., Initializer]) -> str:
    known: list[str] = [one.name for one in fields(make)] if is_dataclass(make) else []
    return f"{name} takes {', '.join(known) or 'no arguments'}"


def _scaling(scale: float, mode: str, distribution: str) -> Callable[..., Initializer]:
    """A class of Keras that is variance scaling with fixed numbers."""

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

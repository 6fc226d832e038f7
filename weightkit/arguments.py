"""Checks of arguments: each returns the value, or raises an error that says what it must be."""

from __future__ import annotations

import math
import numbers
import os
from typing import TYPE_CHECKING, Any

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection

_NUMPY_BOOLEANS = {("numpy", "bool"), ("numpy", "bool_")}  # in NumPy 2, and before


def positive_integer(name: str, value: Any, *, at_least: int = 1) -> int:
    """Return an integer that is large enough.

    Args:
        name: What messages call the argument.
        value: The given value; True and False are not integers.
        at_least: The smallest allowed integer.

    Raises:
        RequestError: It is another value.

    Example:
        >>> positive_integer("units", 8)
        8
        >>> positive_integer("units", 0)
        Traceback (most recent call last):
        weightkit.errors.RequestError: units must be an integer >= 1, got 0
    """
    if not _is_integer(value) or value < at_least:
        raise RequestError(f"{name} must be an integer >= {at_least}, got {value!r}")
    return int(value)


def integer_or_none(name: str, value: Any) -> int | None:
    """Return an integer or None, such as a seed.

    Raises:
        RequestError: It is another value.

    Example:
        >>> integer_or_none("seed", 1.5)
        Traceback (most recent call last):
        weightkit.errors.RequestError: seed must be an integer or None, got 1.5
    """
    if value is not None and not _is_integer(value):
        raise RequestError(f"{name} must be an integer or None, got {value!r}")
    return None if value is None else int(value)


def number(
    name: str, value: Any, at_least: float = -math.inf, *, below: float = math.inf, exclusive: bool = False
) -> float:
    """Return a finite number within bounds.

    Args:
        name: What messages call the argument.
        value: The given value; True and False are not numbers.
        at_least: The lower bound.
        below: The upper bound, which is not allowed itself.
        exclusive: Whether the lower bound is not allowed itself either.

    Raises:
        RequestError: It is another value.

    Example:
        >>> number("rate", 0.5, 0, below=1)
        0.5
        >>> number("rate", 1, 0, below=1)
        Traceback (most recent call last):
        weightkit.errors.RequestError: rate must be a finite number >= 0 and < 1, got 1
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < at_least or (exclusive and value == at_least) or value >= below:
        lower = [] if at_least == -math.inf else [f"{'>' if exclusive else '>='} {at_least}"]
        upper = [] if below == math.inf else [f"< {below}"]
        bounds = " and ".join(lower + upper)
        raise RequestError(f"{name} must be a finite number{' ' if bounds else ''}{bounds}, got {value!r}")
    # Plain Python numbers from all of these checks: Keras cannot serialize NumPy's.
    return float(value)


def one_of(name: str, value: Any, choices: Collection[str]) -> str:
    """Return one of several texts.

    Raises:
        RequestError: It is another value.

    Example:
        >>> one_of("mode", "sum", ["mean", "max"])
        Traceback (most recent call last):
        weightkit.errors.RequestError: mode must be one of 'mean', 'max', got 'sum'
    """
    if not isinstance(value, str) or value not in choices:
        raise RequestError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def boolean(name: str, value: Any) -> bool:
    """Return True or False; text such as ``"no"``, which is true in Python, is refused.

    Raises:
        RequestError: It is another value.

    Example:
        >>> boolean("use_bias", "no")
        Traceback (most recent call last):
        weightkit.errors.RequestError: use_bias must be True or False, got 'no'
    """
    # NumPy's own too, without loading NumPy: options are checked before a reading process starts.
    kind = type(value)
    if kind is not bool and (kind.__module__, kind.__name__) not in _NUMPY_BOOLEANS:
        raise RequestError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def require_path(name: str, value: Any) -> None:
    """Refuse what is not a path in text.

    Raises:
        RequestError: It is another value.

    Example:
        >>> require_path("output", 3)
        Traceback (most recent call last):
        weightkit.errors.RequestError: output must be a path, got 3 — give text or a path object, such as 'model.h5'
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        hint = "give text or a path object, such as 'model.h5'"
        raise RequestError(f"{name} must be a path, got {value!r}", hint=hint)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)

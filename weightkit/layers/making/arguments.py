"""Arguments of layers: what is wrong is said with the argument's name and its value."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence


def positive_integer(name: str, value: Any) -> int:
    """The value, where it is an integer from 1 on.

    Raises:
        RequestError: It is not.

    Example:
        >>> positive_integer("units", 8)
        8
        >>> positive_integer("units", 0)
        Traceback (most recent call last):
        weightkit.errors.RequestError: units=0 is no integer from 1 on
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise RequestError(f"{name}={value!r} is no integer from 1 on")
    return int(value)


def number(name: str, value: Any, least: float = -math.inf, *, below: float = math.inf, above: bool = False) -> float:
    """The value, where it is a finite number from ``least`` on (``above``: more than it), less than ``below``.

    Raises:
        RequestError: It is not.

    Example:
        >>> number("rate", 0.5, 0, below=1)
        0.5
        >>> number("rate", 1, 0, below=1)
        Traceback (most recent call last):
        weightkit.errors.RequestError: rate=1 is no number from 0 on and below 1
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < least or (above and value == least) or value >= below:
        lower = "" if least == -math.inf else f" above {least}" if above else f" from {least} on"
        upper = "" if below == math.inf else f"{' and' if lower else ''} below {below}"
        raise RequestError(f"{name}={value!r} is no {'' if lower or upper else 'finite '}number{lower}{upper}")
    return float(value)


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """The value, where it is among the choices.

    Raises:
        RequestError: It is not.

    Example:
        >>> one_of("mode", "sum", ["mean", "max"])
        Traceback (most recent call last):
        weightkit.errors.RequestError: mode='sum' is none of 'mean', 'max'
    """
    if value not in choices:
        raise RequestError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}")
    return str(value)


def flag(name: str, value: Any) -> bool:
    """The value, where it is true or false.

    Raises:
        RequestError: It is not.

    Example:
        >>> flag("use_bias", "no")
        Traceback (most recent call last):
        weightkit.errors.RequestError: use_bias='no' is neither True nor False
    """
    if not isinstance(value, bool | np.bool_):
        raise RequestError(f"{name}={value!r} is neither True nor False")
    return bool(value)


def seed_or_none(name: str, value: Any) -> int | None:
    """The value, where it is an integer or None.

    Raises:
        RequestError: It is not.

    Example:
        >>> seed_or_none("seed", 1.5)
        Traceback (most recent call last):
        weightkit.errors.RequestError: seed=1.5 is no integer and not None
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise RequestError(f"{name}={value!r} is no integer and not None")
    return None if value is None else int(value)


def axes_of(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """Axes of an input of ``rank``, counted from 0, in ascending order.

    Raises:
        RequestError: One lies outside the input, or names the batch's axis, or stands there twice.

    Example:
        >>> axes_of("axis", -1, 3)
        (2,)
        >>> axes_of("axis", 4, 3)
        Traceback (most recent call last):
        weightkit.errors.RequestError: axis=4: an input of rank 3 has the axes 1 to 2 besides the batch's
    """
    given = (value,) if isinstance(value, numbers.Integral) else tuple(value)
    found = sorted(int(axis) % rank if -rank <= axis < rank else 0 for axis in given)
    if 0 in found or len(set(found)) < len(found) or not found:
        raise RequestError(
            f"{name}={value!r}: an input of rank {rank} has the axes 1 to {rank - 1} besides the batch's"
        )
    return tuple(found)

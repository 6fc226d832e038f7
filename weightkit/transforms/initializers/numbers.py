"""The numbers that initialisers are given."""

from __future__ import annotations

import math

from weightkit.errors import RequestError


def require_finite(initializer: object, **numbers: object) -> None:
    """Refuse what is no finite number.

    Raises:
        RequestError: One is not; the first is named.
    """
    for name, number in numbers.items():
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not plain or not math.isfinite(number):  # type: ignore[arg-type]  # it is a number then
            raise RequestError(
                f"{type(initializer).__name__} has a {name} of {number!r}", mend="give a finite number, such as 0.05"
            )

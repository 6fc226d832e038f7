"""Arguments that are checked before anything is done."""

from __future__ import annotations

from weightkit.errors import RequestError


def require_one_of(name: str, value: object, *known: str) -> None:
    """Refuse what is none of these texts.

    Raises:
        RequestError: With the argument's name, its value, and what may be given.
    """
    if not isinstance(value, str) or value not in known:
        raise RequestError(f"{name} is {value!r}", hint=f"give one of {', '.join(map(repr, known))}")


def require_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False: ``"no"`` would be true.

    Raises:
        RequestError: With the argument's name and value.
    """
    if not isinstance(value, bool):
        raise RequestError(f"{name} is {value!r}", hint="give True or False")

"""Names, lists of them, and sizes as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few of many names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def cut(text: str, most: int = 100) -> str:
    """The first characters of a text that may be as long as a file.

    Example:
        >>> cut("encoder/kernel", 7)
        'encoder…'
    """
    return text if len(text) <= most else f"{text[:most]}…"


def no_attribute(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """What a module raises for a name that it does not have; it names the most similar one.

    Example:
        >>> print(no_attribute("weightkit", "scal", ["scale", "show"]))
        module 'weightkit' has no attribute 'scal', did you mean 'scale'?
    """
    import difflib  # noqa: PLC0415  # few names are wrong

    problem = f"module {module!r} has no attribute {name!r}"
    # Python itself asks for names with underscores that few modules have.
    near = [] if name.startswith("_") else difflib.get_close_matches(name, names, 1)
    return AttributeError(f"{problem}, did you mean {near[0]!r}?" if near else problem, name=name)


def size(count: int) -> str:
    """Bytes with a unit.

    Example:
        >>> size(1000), size(4509715)
        ('1000 bytes', '4.3 MiB')
    """
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004  # binary units
        amount, unit = amount / 1024, unit + 1
    return f"{count} {_UNITS[0]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"

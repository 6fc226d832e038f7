"""How many things are named in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 3


def listed(names: Iterable[str]) -> str:
    """The first few of many names.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    known = list(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more

"""What the wildcards of a glob stand for in an address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from weightkit.access.select.paths import PathPattern
from weightkit.access.select.segment import segments
from weightkit.access.select.tokens import alternatives

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.select.segment import Segment

_Stretch: TypeAlias = "list[re.Pattern[str]]"


class Captured(NamedTuple):
    """The leading part of an address that a glob matches."""

    stars: tuple[str, ...]
    """What each ``*`` stands for."""
    deep: tuple[tuple[str, ...], ...]
    """What each ``**`` stands for."""
    length: int
    """Number of names in the leading part."""


class CapturingGlob:
    """A glob, anchored at the root, that tells what its wildcards stand for.

    Where a wildcard can stand for more or less, it stands for less, but a ``**`` at the end for all.
    """

    def __init__(self, text: str) -> None:
        """Compile a glob.

        Raises:
            SelectionError: It is malformed.
        """
        PathPattern(text)  # refuses empty names
        choices = [segments(alternative) for alternative in alternatives(text)]
        self.wildcards = tuple(map(min, zip(*map(wildcards, choices), strict=True)))
        """How many ``*`` and how many ``**`` each alternative has, at least."""
        self.names = tuple(part.literal for part in choices[0] if part.literal) if len(choices) == 1 else ()
        """Names that stand in every address that it matches."""
        self._choices = [_Alternative(choice) for choice in choices]

    def match(self, names: Sequence[str]) -> Captured | None:
        """What the wildcards stand for in an address of these names; None where the glob does not match."""
        return next(filter(None, (choice.match(names) for choice in self._choices)), None)


def wildcards(parts: Sequence[Segment]) -> tuple[int, int]:
    """How many ``*`` and how many ``**`` an alternative of a glob has."""
    return sum(part.stars for part in parts if not part.spans_segments), sum(part.spans_segments for part in parts)


class _Alternative:
    """A glob without braces: the stretches of segments before, between and after each ``**``."""

    def __init__(self, parts: Iterable[Segment]) -> None:
        self._first: _Stretch = []
        self._after: list[_Stretch] = []
        current = self._first
        for part in parts:
            if part.spans_segments:
                current = []
                self._after.append(current)
            else:
                current.append(re.compile(part.capturing, re.DOTALL))  # a name in a file may hold a line break

    def match(self, names: Sequence[str]) -> Captured | None:
        stars = _stars(self._first, names, 0)
        at, deep = len(self._first), []
        for stretch in self._after:
            if stars is None:
                return None
            is_last = stretch is self._after[-1] and not stretch
            start, more = (len(names), ()) if is_last else _next(stretch, names, at)
            stars = None if more is None else (*stars, *more)
            deep.append(tuple(names[at:start]))
            at = start + len(stretch)
        return None if stars is None else Captured(stars, tuple(deep), at)


def _next(stretch: _Stretch, names: Sequence[str], at: int) -> tuple[int, tuple[str, ...] | None]:
    """Where a stretch matches first, and what its stars stand for there."""
    for start in range(at, len(names) - len(stretch) + 1):
        if (found := _stars(stretch, names, start)) is not None:
            return start, found
    return at, None


def _stars(stretch: _Stretch, names: Sequence[str], start: int) -> tuple[str, ...] | None:
    """What the stars of a stretch stand for, from this name on; None where it does not match."""
    found: list[str] = []
    for place, regex in enumerate(stretch, start):
        matched = regex.fullmatch(names[place]) if place < len(names) else None
        if matched is None:
            return None
        found.extend(matched.groups())
    return tuple(found)

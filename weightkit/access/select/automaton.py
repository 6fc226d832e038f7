"""Matches an address against all alternatives of a glob at once, segment by segment.

The alternatives form one tree, so that a hundred names in braces cost one look-up. The walk keeps the set of
possible states, so that ``**/**/**/x`` costs no more than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.access.select.segment import Segment


class Leading(NamedTuple):
    """A leading part of an address that a glob matches."""

    length: int
    """Number of segments."""
    named: bool
    """Whether the glob's last segment contains literal text of the part's last name."""


@dataclass(slots=True)
class _Place:
    """A state between two segments of the glob; states refer to each other by number."""

    by_name: dict[str, int] = field(default_factory=dict)
    by_regex: dict[str, tuple[re.Pattern[str], int]] = field(default_factory=dict)
    after_any: int | None = None
    """The state after a ``**``, reachable without a step."""
    stays: bool = False
    """Whether it follows a ``**``, so that any name leads back to it."""
    ends: bool = False
    ends_named: bool = False


class Automaton:
    """The alternatives of one glob, ready to match."""

    def __init__(self, alternatives: Iterable[Sequence[Segment]]) -> None:
        """Build the tree of the alternatives, each the segments of one glob without braces."""
        self._places = [_Place()]
        for alternative in alternatives:
            self._lay(alternative)

    def leading(self, names: Sequence[str]) -> Iterator[Leading]:
        """The leading parts of an address that match, shortest first; the empty one too, under ``**``."""
        current: set[int] = set()
        self._enter(0, current)
        # One more round after the last name, to see whether the glob may end there.
        for length, name in enumerate((*names, "")):
            if ends := [place for place in map(self._places.__getitem__, current) if place.ends]:
                yield Leading(length, any(place.ends_named for place in ends))
            current = self._step(current, name)
            if not current:
                return

    def _step(self, current: set[int], name: str) -> set[int]:
        """The states one name further."""
        reached: set[int] = set()
        for number in current:
            place = self._places[number]
            if place.stays:
                reached.add(number)
            if name in place.by_name:
                self._enter(place.by_name[name], reached)
            for regex, after in place.by_regex.values():
                if regex.fullmatch(name):
                    self._enter(after, reached)
        return reached

    def _enter(self, number: int, reached: set[int]) -> None:
        """Add a state, and the one after a ``**``, which may match nothing."""
        reached.add(number)
        after_any = self._places[number].after_any
        if after_any is not None:
            reached.add(after_any)

    def _lay(self, alternative: Sequence[Segment]) -> None:
        number = 0
        for segment in alternative:
            number = self._after(number, segment)
        last = self._places[number]
        last.ends = True
        last.ends_named = alternative[-1].has_text

    def _after(self, number: int, segment: Segment) -> int:
        """The state that a segment leads to, created if missing."""
        place = self._places[number]
        if segment.spans_segments:
            if place.stays:
                return number
            if place.after_any is None:
                place.after_any = self._new(stays=True)
            return place.after_any
        if segment.literal is not None:
            if segment.literal not in place.by_name:
                place.by_name[segment.literal] = self._new()
            return place.by_name[segment.literal]
        if segment.regex not in place.by_regex:
            # DOTALL: a name in a file may hold a line break.
            place.by_regex[segment.regex] = (re.compile(segment.regex, re.DOTALL), self._new())
        return place.by_regex[segment.regex][1]

    def _new(self, *, stays: bool = False) -> int:
        self._places.append(_Place(stays=stays))
        return len(self._places) - 1

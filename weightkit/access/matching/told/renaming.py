"""One entry of a renaming: a glob over addresses, and the address that takes the place of what it matches."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from weightkit.access.select.captures import CapturingGlob, wildcards
from weightkit.access.select.paths import PathPattern
from weightkit.access.select.segment import segments
from weightkit.access.select.selection_errors import malformed
from weightkit.access.select.tokens import Part, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.select.captures import Captured
    from weightkit.access.select.segment import Segment


class Renamed(NamedTuple):
    """An address that was renamed."""

    names: tuple[str, ...]
    base: int
    """How many of its first names the entry gave; the others lie under what it matches."""


class Renaming:
    """``predictions`` becomes ``logits``, ``model_1/**`` becomes ``**``.

    The pattern is a glob as in a selection: it matches an address or a leading part of it, and what follows stays.
    The n-th ``*`` of the new address is what the n-th ``*`` of the pattern stands for, and so for ``**``.
    """

    def __init__(self, pattern: str, becomes: str) -> None:
        """Compile one entry.

        Raises:
            SelectionError: One of the two is malformed, or the new address has a wildcard that the pattern lacks.
        """
        self.pattern, self.becomes = pattern, becomes
        self._glob, self._parts = CapturingGlob(pattern), _one_address(becomes)
        for mark, needed, held in zip(("*", "**"), wildcards(self._parts), self._glob.wildcards, strict=True):
            if needed > held:
                hint = f"each {mark} is what the same one in the pattern stands for; write \\* for the character itself"
                raise malformed(becomes, f"has {needed} {mark}, and {pattern!r}, whose place it takes, {held}", hint)

    def __str__(self) -> str:
        return f"{self.pattern}={self.becomes}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names that stand in every address that it matches."""
        return self._glob.names

    @property
    def moves(self) -> bool:
        """Whether the new address is only ``**``: it says where layers are, and names none of them."""
        return self.opens and len(self._parts) == 1

    @property
    def opens(self) -> bool:
        """Whether the new address ends in ``**``, which stands for what is in the layer before it.

        The target need not have that layer: so a name is made free for another one.
        """
        return self._parts[-1].spans_segments

    @property
    def is_literal(self) -> bool:
        """Whether there are no wildcards in the new address."""
        return wildcards(self._parts) == (0, 0)

    @property
    def anywhere(self) -> Renaming | None:
        """The same for a layer in any other layer; None where the pattern has wildcards."""
        plain = self.is_literal and self._glob.wildcards == (0, 0)
        return Renaming(f"**/{self.pattern}", f"**/{self.becomes}") if plain else None

    def __call__(self, names: Sequence[str]) -> Renamed | None:
        """The new address of what has these names; None where the pattern does not match."""
        found = self._glob.match(names)
        if found is None:
            return None
        new = tuple(self._filled(found))
        below = len(found.deep[wildcards(self._parts)[1] - 1]) if self.opens else 0
        return Renamed((*new, *names[found.length :]), len(new) - below)

    def _filled(self, found: Captured) -> Iterator[str]:
        stars, deep = iter(found.stars), iter(found.deep)
        for part in self._parts:
            if part.spans_segments:
                yield from next(deep)
            else:
                yield _with_stars(part, stars)


def _one_address(text: str) -> list[Segment]:
    PathPattern(text)
    choices = alternatives(text)
    if len(choices) > 1 or any(token.part in {Part.ANY, Part.SET} for token in choices[0]):
        raise malformed(text, "is not one address", "leave out braces, sets and ?; write \\? for the character itself")
    return segments(choices[0])


def _with_stars(part: Segment, stars: Iterator[str]) -> str:
    runs = groupby(part.tokens, lambda token: token.part is Part.STAR)
    return "".join(next(stars) if is_star else "".join(token.value for token in run) for is_star, run in runs)

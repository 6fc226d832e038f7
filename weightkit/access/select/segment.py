"""One segment of a glob: a plain name, any number of names, or a pattern over one name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from weightkit.access.select.tokens import Part, Token

if TYPE_CHECKING:
    from weightkit.access.select.tokens import Alternative


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a glob, matched against one name of an address."""

    tokens: Alternative

    @property
    def literal(self) -> str | None:
        """The only name it matches; None where it is a pattern."""
        if any(token.part is not Part.TEXT for token in self.tokens):
            return None
        return "".join(token.value for token in self.tokens)

    @property
    def spans_segments(self) -> bool:
        """Whether it is ``**``."""
        return [token.part for token in self.tokens] == [Part.STAR, Part.STAR]

    @property
    def has_text(self) -> bool:
        """Whether it contains literal text: ``*`` and ``?[0-9]`` do not, an empty name does."""
        return not self.tokens or any(token.part is Part.TEXT for token in self.tokens)

    @property
    def regex(self) -> str:
        """A regular expression for a whole name, which takes linear time per star.

        What follows a star matches at the first possible position and stays there (an atomic group): a later
        star covers whatever a later position would, so no backtracking is needed.
        """
        return self._joined("(?>.*?{})", ".*{}")

    @property
    def capturing(self) -> str:
        """The same with a group for what each star stands for; a run of stars counts as one."""
        return self._joined("(?>(.*?){})", "(.*){}")

    @property
    def stars(self) -> int:
        """How many runs of stars it has."""
        return len(_between_stars(self.tokens)) - 1

    def _joined(self, star: str, last_star: str) -> str:
        head, *stretches = _between_stars(self.tokens)
        if not stretches:
            return head
        *middle, tail = stretches
        return head + "".join(star.replace("{}", stretch) for stretch in middle) + last_star.replace("{}", tail)


def _between_stars(tokens: Alternative) -> list[str]:
    """The regular expressions before, between and after the stars; runs of stars count as one."""
    stretches = [""]
    for is_star, run in groupby(tokens, lambda token: token.part is Part.STAR):
        if is_star:
            stretches.append("")
        else:
            stretches[-1] = "".join(map(_regex_of, run))
    return stretches


def _regex_of(token: Token) -> str:
    if token.part is Part.ANY:
        return "."
    return token.value if token.part is Part.SET else re.escape(token.value)


def segments(alternative: Alternative) -> list[Segment]:
    """Split an alternative at its slashes."""
    parts: list[list[Token]] = [[]]
    for token in alternative:
        if token.part is Part.SLASH:
            parts.append([])
        else:
            parts[-1].append(token)
    return [Segment(tuple(part)) for part in parts]

"""The error where nothing settles which weight is which: why each way does not decide, and the first differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.errors import UnmatchedError
from weightkit.text import listed

if TYPE_CHECKING:
    from weightkit.access.matching.result import Match
    from weightkit.access.matching.sides import Sides


def unmatched(sides: Sides, named: Match, placed: Match, *, strict: bool) -> UnmatchedError:
    """What each way finds, and the first weights without a match side by side."""
    counts = " and ".join(f"{len(found.pairs) or 'none'} by {found.by}" for found in (named, placed))
    here, there = (listed([f"{ref.path} {ref.shape_text}" for ref in refs]) for refs in (named.missing, named.unused))
    others = "" if strict else "; not by order, since {}; not by shape, since {}".format(*sides.why_not())
    # What was guessed is not in them, and a user who chose one of the ways would get it.
    ways = tuple(found for found in (named, placed) if found.pairs and found.pairs == sides.matched(found.by).pairs)
    # A way that matches nothing would report all weights as missing.
    choices = " or ".join(f"--match {found.by}" for found in ways)
    error = UnmatchedError(
        f"the weights cannot be matched: of {len(sides.ours)} are {counts}{others}; by name {here or 'nothing'} is "
        f"only in the first, {there or 'nothing'} only in the second",
        hint=f"choose {choices} (match=), which reports the rest as missing"
        if choices
        else "compare what `show` lists",
    )
    error.ways = ways
    return error

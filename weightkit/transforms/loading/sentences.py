"""Sentences for the report of a copy: how weights were matched, and how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access import Kind
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from weightkit.access import Match, WeightRef
    from weightkit.transforms.loading.loaded import Loaded


def how_matched(found: Match, used: Collection[WeightRef], label: str) -> tuple[str, ...]:
    """How weights were matched, and what is left on either side.

    Args:
        found: The match.
        used: The weights of the source that are used.
        label: The name of the source.
    """
    there = (*found.pairs.values(), *found.unused)
    unused = [ref.path for ref in there if ref not in used and ref.kind is not Kind.OPTIMIZER]
    part = f": all of one as {found.part} of the other" if found.part else ""
    notes = [f"matched by {found.by}{part}"]
    renamed = {ours.layer: theirs.layer for ours, theirs in found.pairs.items() if found.is_renamed(ours, theirs)}
    if renamed:
        notes.append(
            f"{len(renamed)} layers have other names there: {listed(f'{a} ({b})' for a, b in renamed.items())}"
        )
    if found.fresh:
        fresh = listed(ref.path for ref in found.fresh)
        notes.append(f"left as they are, as {label} does not hold them: {fresh}")
    if unused:
        notes.append(f"{len(unused)} weights of {label} are not used: {listed(unused)}")
    return tuple(notes)


def steps(made: Loaded, chosen: Sequence[WeightRef]) -> tuple[str, ...]:
    """What is done with the weights that are not simply copied, each with some of them."""
    found: dict[str, list[str]] = {}
    for ref in chosen:
        if ref in made.of:
            found.setdefault(made.of[ref].what, []).append(ref.path)
    return tuple(f"{len(paths)} converted ({what}): {listed(paths)}" for what, paths in found.items())

"""Sentences for the report of a copy: how weights were matched, and how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Set as AbstractSet

    from weightkit.access import Match, WeightRef
    from weightkit.transforms.loading.loaded import Loaded


def how_matched(
    found: Match, made: Loaded, chosen: Collection[WeightRef], used: Collection[WeightRef], label: str
) -> tuple[str, ...]:
    """How weights were matched, counts first, and what is left on either side.

    Args:
        found: The match.
        made: How weights are made that are not simply copied.
        chosen: The weights of the target that are filled.
        used: The weights of the source that are used.
        label: The name of the source.
    """
    there = (*found.pairs.values(), *found.unused)
    unused = [ref.path for ref in there if ref not in used and not found.trains(ref)]
    part = f", {found.as_part}" if found.part else ""
    notes = [f"matched by {found.by}{part}: {_counts(found, made, frozenset(chosen), len(unused))}"]
    if made.shapes:
        shapes = listed(f"{ref.path} is {ref.shape} here and {shape} there" for ref, shape in made.shapes.items())
        notes.append(f"of other shapes: {shapes}")
    renamed = {ours.layer: theirs.layer for ours, theirs in found.pairs.items() if _is_renamed(found, ours, theirs)}
    if renamed:
        names = listed(f"{a or '(model)'} ({b or '(model)'} there)" for a, b in renamed.items())
        notes.append(f"layers of other names: {names}")
    fresh = [ref.path for ref in found.fresh if ref not in made.of]
    if fresh:
        notes.append(f"left as they are, as {label} does not hold them: {listed(fresh)}")
    if unused:
        notes.append(f"not used of {label}: {listed(unused)}")
    return tuple(notes)


def _is_renamed(found: Match, ours: WeightRef, theirs: WeightRef) -> bool:
    """Whether their layers have other names, and not only others around them."""
    here, there = (f"/{ref.layer}" if ref.layer else "" for ref in (ours, theirs))
    return found.is_renamed(ours, theirs) and not here.endswith(there) and not there.endswith(here)


def _counts(found: Match, made: Loaded, chosen: AbstractSet[WeightRef], unused: int) -> str:
    """How many weights there are of each kind: those that match, of the others what there is, and what is done."""
    weights = {ref for ref in found.pairs if not found.trains(ref)} | made.of.keys()
    resized = chosen & made.shapes.keys()
    counts = {
        "mismatched": len(made.shapes) - len(resized),
        "resized": len(resized),
        "missing": sum(not found.trains(ref) for ref in found.missing if ref not in weights),
        "fresh": sum(ref not in weights for ref in found.fresh),
        "unused": unused,
        "converted": len((chosen & (made.of.keys() | made.dequantized.keys())) - resized),
    }
    many = f"{len(weights)} weight{'s' * (len(weights) != 1)}"
    return ", ".join((many, *(f"{count} {what}" for what, count in counts.items() if count)))


def steps(made: Loaded, chosen: Sequence[WeightRef]) -> tuple[str, ...]:
    """What is done with the weights that are not simply copied, each with some of them."""
    found: dict[str, list[str]] = {}
    for ref in chosen:
        what = (made.dequantized.get(ref, ""), made.of[ref].what if ref in made.of else "")
        if any(what):
            found.setdefault(", ".join(filter(None, what)), []).append(ref.path)
    return tuple(f"{len(paths)} converted ({what}): {listed(paths)}" for what, paths in found.items())

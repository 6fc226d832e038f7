"""Match the weights of two stores: by name where all names agree, else by structure, else not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from weightkit.access.matching.align import Ordered, aligned
from weightkit.access.matching.layer_tree import by_name, is_given
from weightkit.access.matching.pairing import Pairs, by_class, by_structure, by_turn
from weightkit.access.ref import Kind
from weightkit.errors import RequestError
from weightkit.escape import escape, escape_cell
from weightkit.html import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from weightkit.access.ref import WeightRef

By = Literal["auto", "name", "structure"]
BY: tuple[str, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two matched weights that differ in shape or type."""

    ours: WeightRef
    theirs: WeightRef

    @property
    def what(self) -> str:
        """What differs: ``shape (2, 3) and (3, 2)``."""
        parts = []
        if self.ours.shape != self.theirs.shape:
            parts.append(f"shape {self.ours.shape} and {self.theirs.shape}")
        if not Match.same_type(self.ours, self.theirs):
            parts.append(f"type {self.ours.dtype_text} and {self.theirs.dtype_text}")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ours": self.ours.path,
            "theirs": self.theirs.path,
            "shapes": [list(self.ours.shape), list(self.theirs.shape)],
            "dtypes": [self.ours.dtype_text, self.theirs.dtype_text],
        }


@dataclass(frozen=True, slots=True)
class Match:
    """The matched weights of two stores."""

    by: str
    """``name`` or ``structure``."""
    pairs: dict[WeightRef, WeightRef]
    """Our weights to theirs, in our order; including those that differ in shape or type."""
    missing: tuple[WeightRef, ...]
    """Weights that only our store has."""
    unused: tuple[WeightRef, ...]
    """Weights that only their store has."""
    mismatched: tuple[Mismatch, ...] = field(default=())
    """Pairs that differ in shape or type."""

    @property
    def complete(self) -> bool:
        """Whether every weight of either store has a match in the other."""
        return not self.missing and not self.unused

    @property
    def fits(self) -> bool:
        """Whether the match is complete and all shapes agree."""
        return self.complete and self.reshaped == 0

    @property
    def reshaped(self) -> int:
        """How many pairs differ in shape."""
        return sum(found.ours.shape != found.theirs.shape for found in self.mismatched)

    @staticmethod
    def is_counter(ref: WeightRef) -> bool:
        """Whether it is state in integers, such as a seed; not every format keeps these."""
        return ref.kind is Kind.STATE and ref.dtype.kind in "iu"

    @staticmethod
    def same_type(ours: WeightRef, theirs: WeightRef) -> bool:
        """Whether two weights hold the same type of numbers, in whatever order of bytes."""
        return ours.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")

    @staticmethod
    def is_renamed(ours: WeightRef, theirs: WeightRef) -> bool:
        """Whether a weight's layer has another name there, given by somebody in one of the two at least."""
        if None in (ours.layer, ours.name, theirs.layer, theirs.name) or ours.kind is Kind.OPTIMIZER:
            return False
        return ours.layer != theirs.layer and (is_given(ours) or is_given(theirs))

    def __repr__(self) -> str:
        counts = f"{len(self.mismatched)} mismatched, {len(self.missing)} missing, {len(self.unused)} unused"
        return f"<Match by {self.by}: {len(self.pairs)} weights, {counts}>"

    def __str__(self) -> str:
        lines = [f"matched by {self.by}: {len(self.pairs)} weights"]
        for found in self.mismatched:
            ours, theirs = escape_cell(found.ours.path), escape_cell(found.theirs.path)
            lines.append(f"  mismatched: {ours} and {theirs}, {escape(found.what)}")
        lines += [f"  missing: {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}" for ref in self.missing]
        lines += [f"  unused: {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}" for ref in self.unused]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [("mismatched", found.ours.path, found.theirs.path, found.what) for found in self.mismatched]
        rows += [("missing", ref.path, "", "") for ref in self.missing]
        rows += [("unused", "", ref.path, "") for ref in self.unused]
        return table(f"matched by {self.by}: {len(self.pairs)} weights", ("", "ours", "theirs", ""), rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: all pairs, and the unmatched weights."""
        return {
            "schema": "weightkit.match/1",
            "by": self.by,
            "matched": [{"ours": ours.structure, "theirs": theirs.structure} for ours, theirs in self.pairs.items()],
            "mismatched": [found.to_dict() for found in self.mismatched],
            "missing": [ref.path for ref in self.missing],
            "unused": [ref.path for ref in self.unused],
        }


def match(
    ours: Iterable[WeightRef], theirs: Iterable[WeightRef], by: By = "auto", *, ordered: bool | None = None
) -> Match:
    """Match each weight of a store with one of another store.

    User-given names match by name. Automatic names (``dense_7``) do not count as names: the first Dense layer matches
    the first, as when one architecture is built twice, in the order of the stores where they know it. Where names do
    not decide, the format's paths do, then a layer's position among those of its class. An optimizer's state matches
    by its names, else by its order.

    Args:
        ours: A store, or the references of one.
        theirs: The same of another.
        by: ``auto`` refuses what neither names nor structure decide; ``name`` and ``structure`` use only that, and
            report what is missing.
        ordered: Whether ours come in the order of their layers; by default, the store decides. References without
            their store count as unordered.

    Raises:
        RequestError: Neither names nor structure decide, or ``by`` is not one of the three.
    """
    if by not in BY:
        raise RequestError(f"match must be a known rule, got {by!r}", hint=f"give one of {', '.join(BY)}")
    order = Ordered(_is_ordered(ours) if ordered is None else ordered, _is_ordered(theirs))
    own, other = list(ours), list(theirs)
    # Apart: counters and optimizers are not in every format, and must not spoil the match of the weights.
    parts = (_is_weight, Match.is_counter, _trains)
    weights, counters, training = ((_only(part, own), _only(part, other)) for part in parts)
    found = _of_models(*weights, by, order)
    # Counters go by the rule that matched the weights.
    counted = _by_name(*counters, order) if found.by == "name" else by_structure(*counters)
    return _match(found.by, own, other, found.pairs | counted | _of_optimizers(*training))


def _only(part: Callable[[WeightRef], bool], refs: list[WeightRef]) -> list[WeightRef]:
    return [ref for ref in refs if part(ref)]


def _trains(ref: WeightRef) -> bool:
    return ref.kind is Kind.OPTIMIZER


def _is_weight(ref: WeightRef) -> bool:
    return not _trains(ref) and not Match.is_counter(ref)


def _is_ordered(refs: Iterable[WeightRef]) -> bool:
    return bool(getattr(refs, "ordered", False))


def _by_name(ours: list[WeightRef], theirs: list[WeightRef], ordered: Ordered) -> Pairs:
    return dict(aligned(by_name(ours), by_name(theirs), ordered))


def _match(by: str, ours: list[WeightRef], theirs: list[WeightRef], pairs: Pairs) -> Match:
    used = {ref.structure for ref in pairs.values()}
    mismatched = (Mismatch(a, b) for a, b in pairs.items() if a.shape != b.shape or not Match.same_type(a, b))
    return Match(
        by,
        {ref: pairs[ref] for ref in ours if ref in pairs},
        tuple(ref for ref in ours if ref not in pairs),
        tuple(ref for ref in theirs if ref.structure not in used),
        tuple(mismatched),
    )


def _of_models(ours: list[WeightRef], theirs: list[WeightRef], by: By, ordered: Ordered) -> Match:
    named = _match("name", ours, theirs, _by_name(ours, theirs, ordered))
    # All names match; but if only the paths fit in shape, the names mislead.
    if by == "name" or (named.complete and (named.fits or not _fits_by_structure(ours, theirs))):
        return named
    placed = _by_structure(ours, theirs)
    if by == "structure" or (placed.fits and not _contradicts(placed, ours, theirs)):
        return placed
    # A match by name with gaps is trusted only if every weight has a name of its own.
    if named.pairs and _are_named(ours) and _are_named(theirs):
        return named
    # At least half of them: a few equal paths say little.
    if placed.pairs and not placed.reshaped and 2 * len(placed.pairs) >= max(len(ours), len(theirs)):
        return placed
    raise RequestError(
        f"the weights cannot be matched: {_tried(named)}; {_tried(placed)}",
        hint="choose --match name or --match structure (match=), which report the rest as missing",
    )


def _by_structure(ours: list[WeightRef], theirs: list[WeightRef]) -> Match:
    placed, counted = (_match("structure", ours, theirs, way(ours, theirs)) for way in (by_structure, by_class))
    return counted if counted.fits and not placed.fits else placed


def _fits_by_structure(ours: list[WeightRef], theirs: list[WeightRef]) -> bool:
    return _by_structure(ours, theirs).fits


def _contradicts(placed: Match, ours: list[WeightRef], theirs: list[WeightRef]) -> bool:
    """Whether a weight's path leads to another weight there, while its own name is there too."""
    here, there = {ref.path for ref in ours if is_given(ref)}, {ref.path for ref in theirs if is_given(ref)}
    both = here & there
    return any(a.path != b.path and (a.path in both or b.path in both) for a, b in placed.pairs.items())


def _are_named(refs: list[WeightRef]) -> bool:
    return all(ref.layer is not None and ref.name is not None and ref.duplicate == 1 for ref in refs)


def _of_optimizers(ours: list[WeightRef], theirs: list[WeightRef]) -> Pairs:
    placed = by_structure(ours, theirs)
    if len(placed) == len(ours) == len(theirs):
        return placed
    return by_turn(ours, theirs) or placed


def _tried(found: Match) -> str:
    return (
        f"{len(found.pairs) or 'no'} weights matched by {found.by} ({found.reshaped} with other shapes), "
        f"{len(found.missing)} only in the first and {len(found.unused)} only in the second"
    )

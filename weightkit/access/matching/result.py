"""Which weight of one store is which of another, and what has no match."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from weightkit.access.matching.given_names import given_names, leads
from weightkit.access.matching.layer_tree import is_given
from weightkit.access.ref import Kind
from weightkit.escape import escape, escape_cell
from weightkit.html import table

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from weightkit.access.ref import WeightRef

By = Literal["auto", "name", "structure", "order", "shape"]
BY: tuple[str, ...] = get_args(By)
Unlike: TypeAlias = "tuple[tuple[tuple[WeightRef, ...], tuple[WeightRef, ...]], ...]"
"""Layers that match while their weights do not: the weights of the first and of the second."""


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
    """``name``, ``structure``, ``order`` or ``shape``."""
    pairs: dict[WeightRef, WeightRef]
    """Our weights to theirs, in our order; including those that differ in shape or type."""
    missing: tuple[WeightRef, ...]
    """Weights that only our store has."""
    unused: tuple[WeightRef, ...]
    """Weights that only their store has."""
    mismatched: tuple[Mismatch, ...] = field(default=())
    """Pairs that differ in shape or type."""
    fresh: tuple[WeightRef, ...] = ()
    """Weights that only our store has, beside all of the other store, such as a new head."""
    part: str = ""
    """The layer of the larger store that the other store is, as a whole; empty if there is none."""

    unlike: Unlike = ()
    """Layers that match while their weights do not, such as an LSTM and that of Keras 1: our weights and theirs."""

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
    def trains(ref: WeightRef) -> bool:
        """Whether it belongs to training, not to the model."""
        return ref.kind is Kind.OPTIMIZER or Match.is_of_metric(ref)

    @staticmethod
    def is_of_metric(ref: WeightRef) -> bool:
        """Whether it is the state of a metric, which Keras 2 saved too."""
        return ref.structure.startswith("metrics/") and "/vars/" in ref.structure  # no layer of a legacy file

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
        if ours.layer == theirs.layer:
            return False
        here, there = given_names(ours), given_names(theirs)
        return is_given(ours) or is_given(theirs) or (bool(here and there) and not leads(here, there))

    @classmethod
    def of(
        cls,
        by: str,
        ours: Iterable[WeightRef],
        theirs: Iterable[WeightRef],
        pairs: Mapping[WeightRef, WeightRef],
    ) -> Match:
        """The match of all these weights by their pairs."""
        own = list(ours)
        used = {ref.structure for ref in pairs.values()}
        mismatched = (Mismatch(a, b) for a, b in pairs.items() if a.shape != b.shape or not cls.same_type(a, b))
        return cls(
            by,
            {ref: pairs[ref] for ref in own if ref in pairs},
            tuple(ref for ref in own if ref not in pairs),
            tuple(ref for ref in theirs if ref.structure not in used),
            tuple(mismatched),
        )

    def of_part(self, part: str, fresh: Container[WeightRef] | None = None) -> Match:
        """The same where one store is a part of the other: what our store has besides is no gap.

        Args:
            part: The layer of the larger store.
            fresh: What is besides it; by default, all that is missing. Optimizers never are, and counters always.
        """

        def is_fresh(ref: WeightRef) -> bool:
            return ref.kind is not Kind.OPTIMIZER and (fresh is None or ref in fresh or self.is_counter(ref))

        besides, missing = (tuple(ref for ref in self.missing if is_fresh(ref) is own) for own in (True, False))
        return replace(self, missing=missing, fresh=besides, part=part)

    @property
    def as_part(self) -> str:
        """How one store is a part of the other: ``all of one as encoder of the other``; empty if it is not."""
        left = ([ref for ref in refs if not self.trains(ref)] for refs in (self.unused, (*self.missing, *self.fresh)))
        return f"{'' if all(left) else 'all of '}one as {self.part} of the other" if self.part else ""

    @property
    def _title(self) -> str:
        whole = f", with {escape(self.as_part)}" if self.part else ""
        return f"matched by {self.by}: {len(self.pairs)} weights{whole}"

    def __repr__(self) -> str:
        counts = f"{len(self.mismatched)} mismatched, {len(self.missing)} missing, {len(self.unused)} unused"
        return f"<Match by {self.by}: {len(self.pairs)} weights, {counts}>"

    def __str__(self) -> str:
        lines = [self._title]
        for found in self.mismatched:
            ours, theirs = escape_cell(found.ours.path), escape_cell(found.theirs.path)
            lines.append(f"  mismatched: {ours} and {theirs}, {escape(found.what)}")
        lines += [f"  missing: {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}" for ref in self.missing]
        lines += [f"  fresh: {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}" for ref in self.fresh]
        lines += [f"  unused: {escape_cell(ref.path)}  {ref.shape}  {ref.dtype_text}" for ref in self.unused]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [("mismatched", found.ours.path, found.theirs.path, found.what) for found in self.mismatched]
        rows += [("missing", ref.path, "", "") for ref in self.missing]
        rows += [("fresh", ref.path, "", "") for ref in self.fresh]
        rows += [("unused", "", ref.path, "") for ref in self.unused]
        return table(self._title, ("", "ours", "theirs", ""), rows)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: all pairs, and the unmatched weights."""
        return {
            "schema": "weightkit.match/1",
            "by": self.by,
            "matched": [{"ours": ours.structure, "theirs": theirs.structure} for ours, theirs in self.pairs.items()],
            "mismatched": [found.to_dict() for found in self.mismatched],
            "missing": [ref.path for ref in self.missing],
            "fresh": [ref.path for ref in self.fresh],
            "part": self.part,
            "unused": [ref.path for ref in self.unused],
        }

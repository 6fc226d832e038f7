"""Copy weights from another store: a model from a file, a file from a model, a file from another format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weightkit.access import ALL, Kind, Transform, is_floating
from weightkit.access import match as match_stores
from weightkit.errors import SelectionError
from weightkit.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from weightkit.access import By, Changes, Match, WeightRef, WeightStore


@dataclass(frozen=True, slots=True)
class CopyFrom(Transform):
    """Take the values of the matching weights of another store; made by `copy_from`."""

    source: WeightStore
    by: By = "auto"
    pairs: Mapping[WeightRef, WeightRef] = field(default_factory=dict, compare=False)
    """Which weight of the source each weight takes its values from; empty before it is planned."""
    match: Match | None = field(default=None, compare=False, repr=False)
    """How they were matched; None before it is planned."""

    def __repr__(self) -> str:
        return f"copy_from({self.source.label!r})"

    @property
    def kinds(self) -> frozenset[Kind]:
        """All but the optimizer's."""
        return frozenset(Kind) - {Kind.OPTIMIZER}

    def on(self, store: WeightStore) -> CopyFrom:
        """The same, knowing which weight of the source is which of this store.

        Raises:
            RequestError: Neither names nor structure settle which weight is which.
        """
        found = match_stores(store, self.source, self.by)
        return replace(self, pairs=found.pairs, match=found)

    def objection(self, ref: WeightRef) -> str:
        """Why this weight takes no values; empty where it can."""
        return "it is optimizer state, which belongs to one training run" if ref.kind is Kind.OPTIMIZER else ""

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> CopyFrom:
        """The same, where every chosen weight has one to copy.

        Raises:
            SelectionError: One has no counterpart of its shape and type.
        """
        self.require_all(chosen, store.label)
        return self

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """How they were matched, and what of the source is not used."""
        return () if self.match is None else _notes(self.match, chosen, self.source.label)

    def rebound(self, pairs: Mapping[WeightRef, WeightRef]) -> CopyFrom:
        """The same copies for the references of another store, by those of the store that it was planned on."""
        return replace(self, pairs={theirs: self.pairs[ref] for ref, theirs in pairs.items()})

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:
        """The source's values of the same elements, in the source's type."""
        return self.source.read(self.pairs[ref], span).reshape(values.shape)

    def require_all(self, chosen: Sequence[WeightRef], label: str) -> None:
        """Refuse to fill a part of what was asked for: a model that is loaded by half looks like one that is whole."""
        problems = [f"{ref.path} {why}" for ref in chosen if (why := self._obstacle(ref))]
        if problems:
            raise SelectionError(
                f"{len(problems)} of {len(chosen)} weights have none to copy in {self.source.label}: "
                f"{listed(problems)}",
                hint="choose fewer, with where or exclude, or say how to match them with match",
                file=label,
            )

    def _obstacle(self, ref: WeightRef) -> str:
        own = self.pairs.get(ref)
        if own is None:
            return "is not there"
        if own.shape != ref.shape:
            return f"is {ref.shape} here and {own.shape} there"
        if is_floating(own.dtype) != is_floating(ref.dtype):
            return f"is {ref.dtype} here and {own.dtype} there"
        return ""


def copy_from(source: WeightStore, *, match: By = "auto") -> CopyFrom:
    """Take the values of the matching weights of another store, every kind of them but the optimizer's.

    Args:
        source: An open store; it stays its owner's to close, after the edit.
        match: ``auto`` matches by name where all names agree, else by structure; ``name`` or ``structure`` settles it.

    Example:
        >>> from weightkit import copy_from, edit, open_weights
        >>> with open_weights("model.h5") as source:  # doctest: +SKIP
        ...     edit(model, copy_from(source), where="encoder")
    """
    return CopyFrom(source, match)


def _notes(found: Match, chosen: Sequence[WeightRef], label: str) -> tuple[str, ...]:
    used = {found.pairs[ref] for ref in chosen}
    there = (*found.pairs.values(), *found.unused)
    unused = [ref.path for ref in there if ref not in used and ref.kind is not Kind.OPTIMIZER]
    notes = [f"matched by {found.by}"]
    if unused:
        notes.append(f"{len(unused)} weights of {label} are not used: {listed(unused)}")
    return tuple(notes)

"""How sure each proposed pair is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.suggest.proposals import Certainty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from weightkit.access.suggest.pair_evidence import Evidence
    from weightkit.access.suggest.proposed_pairs import Proposed

_ALIKE, _LEAD, _BEHIND = 0.5, 0.1, -0.2
"""How alike names are that make a pair likely, by how much more than any others, and how much less they may be."""
_CONFLICT = 0.25
_MARGIN = 0.5
"""Half a pair of layers: by so much an alignment is better than another, whatever classes and neighbors add."""


class Judge:
    """Judges the proposed pairs of two models, none of which is sure by one kind of evidence alone."""

    def __init__(self, evidence: Evidence, found: Proposed) -> None:
        self._evidence, self._found = evidence, found
        self._doubted = _doubted(found.pairs, evidence.exact)

    def judged(self, ours: int, theirs: int) -> tuple[Certainty, str]:
        """How sure a proposed pair is, and what speaks for it in a few words."""
        pair = (ours, theirs)
        return self._certainty(pair), ", ".join(self._reasons(pair))

    def _certainty(self, pair: tuple[int, int]) -> Certainty:
        evidence = self._evidence
        if evidence.other_class[pair]:
            return Certainty.OPEN
        if not evidence.exact[pair]:
            return Certainty.LIKELY if self._is_alike(pair) or self._is_resized_in_place(pair) else Certainty.OPEN
        if self._has_one_name(pair) and self._is_in_place(pair):
            return Certainty.SURE
        likely = self._is_alike(pair) or self._is_in_order(pair) or self._is_only(pair)
        return Certainty.LIKELY if likely else Certainty.OPEN

    def _is_in_place(self, pair: tuple[int, int]) -> bool:
        """Whether the order says the same; where it is not known, the names and looks must be one and no other's."""
        if self._found.by_order is None:
            return bool(self._evidence.only_ones[pair]) or self._has_same_names(pair)
        return pair[0] not in self._doubted and self._agrees(pair)

    def _is_resized_in_place(self, pair: tuple[int, int]) -> bool:
        """Whether its place says so: at most one axis of each weight differs, and no layer has the same shapes."""
        evidence = self._evidence
        ours, theirs = evidence.ours[pair[0]], evidence.theirs[pair[1]]
        alone = not evidence.exact[pair[0]].any() and not evidence.exact[:, pair[1]].any()
        next_to = self._neighbor(pair, -1) or self._neighbor(pair, 1)
        return bool(alone and next_to and evidence.same_class[pair]) and all(
            sum(a != b for a, b in zip(first, second, strict=True)) <= 1
            for (_, first), (_, second) in zip(ours.weights or (), theirs.weights or (), strict=True)
        )

    def _has_one_name(self, pair: tuple[int, int]) -> bool:
        """Whether the names are one, or one with more around it that is as like no other."""
        evidence = self._evidence
        return bool(evidence.same_name[pair] and (self._has_same_names(pair) or evidence.name_lead[pair] >= _LEAD))

    def _has_same_names(self, pair: tuple[int, int]) -> bool:
        return self._evidence.ours[pair[0]].names == self._evidence.theirs[pair[1]].names != ()

    def _is_alike(self, pair: tuple[int, int]) -> bool:
        """Whether their names are more alike than any others; numbers that may count otherwise say little."""
        evidence = self._evidence
        if evidence.names[pair] < _ALIKE or evidence.name_lead[pair] < _LEAD:
            return False
        numbered = any(token.isdecimal() for token in evidence.tokens[0][pair[0]])
        return bool(evidence.same_name[pair]) or not numbered or self._agrees(pair)

    def _is_in_order(self, pair: tuple[int, int]) -> bool:
        """Whether no other order is nearly as good, and no other name is much more alike."""
        alignment = self._found.alignment
        evidence = self._evidence
        if alignment is None or evidence.name_lead_of_exact[pair] < _BEHIND or evidence.conflicts[pair] > _CONFLICT:
            return False
        return alignment.agrees(*pair, _MARGIN) and alignment.margin(*pair) >= _MARGIN

    def _is_only(self, pair: tuple[int, int]) -> bool:
        evidence = self._evidence
        return bool(evidence.only_ones[pair] and (evidence.same_class[pair] or self._agrees(pair)))

    def _agrees(self, pair: tuple[int, int]) -> bool:
        """Whether nothing is known of the order, or looks in order say the same."""
        by_order = self._found.by_order
        return by_order is None or by_order.agrees(*pair, _MARGIN)

    def _reasons(self, pair: tuple[int, int]) -> Iterator[str]:
        evidence = self._evidence
        if self._has_same_names(pair):
            yield "same name"
        elif evidence.same_name[pair] or self._is_alike(pair):
            yield "name alike"
        if evidence.same_class[pair]:
            yield "same class"
        elif evidence.other_class[pair]:
            yield "another class"
        yield from self._looks(pair)
        yield from self._place(pair)

    def _looks(self, pair: tuple[int, int]) -> Iterator[str]:
        exact = self._evidence.exact
        alike = int(max(exact[pair[0]].sum(), exact[:, pair[1]].sum()))
        if not exact[pair]:
            yield "other shapes"
        elif self._evidence.only_ones[pair]:
            yield "only one of these shapes"
        else:
            yield f"one of {alike} of these shapes"

    def _place(self, pair: tuple[int, int]) -> Iterator[str]:
        """Between which layers it is on both sides."""
        if self._found.alignment is None:
            return
        if pair[0] in self._doubted or not self._agrees(pair):
            yield "against the order"
            return
        before, after = (self._neighbor(pair, step) for step in (-1, 1))
        if before and after:
            yield f"between {before} and {after} in order"
        elif before or after:
            yield f"after {before} in order" if before else f"before {after} in order"

    def _neighbor(self, pair: tuple[int, int], step: int) -> str:
        """The last name of the layer next to it, if that is next to it on the other side too; empty if not known."""
        ours, theirs = pair[0] + step, pair[1] + step
        if self._found.alignment is None or self._found.pairs.get(ours) != theirs:
            return ""
        return self._evidence.ours[ours].address.rpartition("/")[2]


def _doubted(pairs: dict[int, int], exact: NDArray[np.bool_]) -> frozenset[int]:
    """Layers that another pair crosses with which they could exchange their partners."""
    if not pairs:
        return frozenset()
    ours, theirs = np.array(sorted(pairs.items())).T
    crossing = np.triu(theirs[:, None] > theirs[None, :], 1)
    swapped = exact[np.ix_(ours, theirs)]
    both = crossing & (swapped | swapped.T)
    return frozenset(ours[both.any(0) | both.any(1)].tolist())

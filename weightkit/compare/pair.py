"""Two matched weights while they are compared, and what is known of them so far."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weightkit.compare.hypotheses import Hypothesis, guess, holds
from weightkit.compare.measures import Measures

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access import WeightRef, WeightStore


@dataclass(slots=True, eq=False)
class Compared:
    """Two weights with the same number of elements, and the results so far."""

    ours: WeightRef
    theirs: WeightRef
    measures: Measures = field(default_factory=Measures)
    hypothesis: Hypothesis | None = None
    """What turned the first into the second, as far as is known."""
    moved: str = ""
    """How the elements of the first are rearranged in the second, in words, as far as is known."""
    source: Compared | None = None
    """The pair whose values in the first store this one has in the second."""
    same: list[slice] = field(default_factory=list)
    """Equal spans: their norms are computed only if other spans of the weight differ."""
    _early: dict[int, Measures] = field(default_factory=dict)
    _begun: threading.Event = field(default_factory=threading.Event)

    def add(self, first: int, found: Measures) -> None:
        """Add the measures of one span; sums are made in the order of the weight, whichever thread is faster."""
        self._early[first] = found
        while (due := self._early.pop(self.measures.size, None)) is not None:
            self.measures += due

    def examine(self, first: int, ours: np.ndarray, theirs: np.ndarray, *, same: bool) -> None:
        """Guess from the first span what happened, and drop the guess if a later span contradicts it."""
        if first == 0:
            try:
                self.hypothesis = None if same else guess(ours, theirs)
            finally:
                self._begun.set()
            return
        self._begun.wait()  # for the thread that has the first span
        hypothesis = self.hypothesis
        if hypothesis is not None and not holds(hypothesis, ours, theirs):
            self.hypothesis = None

    @property
    def swapped(self) -> Compared | None:
        """The pair that it changed places with."""
        return self.source if self.source is not None and self.source.source is self else None

    def values(self, ours: WeightStore, theirs: WeightStore) -> tuple[np.ndarray, np.ndarray]:
        """All elements of both, flat, in the machine's byte order."""
        whole = slice(0, self.ours.size)
        return native(ours.read(self.ours, whole)), native(theirs.read(self.theirs, whole))

    def give_up(self) -> None:
        """Wake threads that wait for a guess that will not come."""
        self._begun.set()


def native(values: np.ndarray) -> np.ndarray:
    """Values in the machine's byte order."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)

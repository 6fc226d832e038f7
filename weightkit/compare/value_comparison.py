"""Compare pairs of weights tile by tile, with two threads and one pass over both stores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from weightkit.access import share, spans
from weightkit.compare.equality import is_same
from weightkit.compare.evidence import weigh
from weightkit.compare.measures import EXACT, Measures, Tolerance, measure, unchanged
from weightkit.compare.moves import find_moves
from weightkit.compare.pair import Compared, native

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access import WeightRef, WeightStore

Progress = Callable[[int], None]


def compare(
    ours: WeightStore,
    theirs: WeightStore,
    pairs: Sequence[tuple[WeightRef, WeightRef]],
    tolerance: Tolerance = EXACT,
    progress: Progress | None = None,
) -> list[Compared]:
    """Measure pairs of weights with the same number of elements.

    Args:
        ours: The first store.
        theirs: The second.
        pairs: A weight of each store.
        tolerance: What counts as close.
        progress: Called with the bytes of the first weight that are done, as they are done.
    """
    work = _Work(ours, theirs, pairs, tolerance, progress)
    with contextlib.ExitStack() as meanwhile:
        for store in (ours, theirs):
            meanwhile.enter_context(store.steady())  # for models in memory, whose layers compute some values
        work.do()
        for pair in work.compared:
            if pair.measures.changed:
                # In the order of the weight: sums in another order round differently from run to run.
                for span in sorted(pair.same, key=lambda span: span.start):
                    pair.measures += unchanged(native(ours.read(pair.ours, span)))
        weigh(work.compared, ours, theirs)
        find_moves(work.compared, ours, theirs)
    return work.compared


class _Work:
    """The tiles of all pairs."""

    def __init__(
        self,
        ours: WeightStore,
        theirs: WeightStore,
        pairs: Sequence[tuple[WeightRef, WeightRef]],
        tolerance: Tolerance,
        progress: Progress | None,
    ) -> None:
        self._ours, self._theirs, self._tolerance, self._progress = ours, theirs, tolerance, progress
        self.compared = [Compared(*pair) for pair in pairs]
        self._lock = threading.Lock()

    def do(self) -> None:
        """Compare every tile."""
        share(self._spans(), self._compare, sum(pair.ours.nbytes for pair in self.compared))

    def _spans(self) -> Iterator[tuple[Compared, slice]]:
        for pair in self.compared:
            for span in spans(pair.ours.size):
                yield pair, span

    def _compare(self, pair: Compared, span: slice) -> None:
        try:
            ours, theirs = (
                native(store.read(ref, span)) for store, ref in ((self._ours, pair.ours), (self._theirs, pair.theirs))
            )
        except BaseException:
            pair.give_up()
            raise
        same = is_same(ours, theirs)
        pair.examine(span.start, ours, theirs, same=same)
        found = Measures(ours.size) if same else measure(ours, theirs, span.start, self._tolerance)
        # Neither the sums nor the caller's progress are made for two threads at once.
        with self._lock:
            pair.add(span.start, found)
            if same:
                pair.same.append(span)
            if self._progress:
                self._progress(ours.nbytes)

"""Do a planned edit: read, transform and write, tile by tile, in two threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import Losses, losses, transformed
from weightkit.access.edits.tasks import share
from weightkit.access.edits.tiles import tiles
from weightkit.errors import NonFiniteError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from weightkit.access.edits.plan import Plan
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import Check, Destination, Outcome, Sink, WeightStore

Progress = Callable[[int], None]
_TINY = 16 << 10  # bytes a weight, on average: two threads would wait for each other more than they compute
_Found = dict["WeightRef", Losses]


def run(
    plan: Plan,
    store: WeightStore,
    destination: Destination,
    *,
    allow_nonfinite: bool,
    progress: Progress | None,
    check: Check | None = None,
) -> tuple[Outcome | None, _Found]:
    """Apply a plan to a store; returns what was left on the disk, and what was lost."""
    with store.editing(plan.chosen if plan.sets_values else (), destination, plan.changes, check) as sink:
        work = _Work(plan, store, sink, progress)
        if plan.sets_values:
            work.do()
        found = work.found()
        nonfinite = {ref: lost for ref, lost in found.items() if lost.nonfinite}
        if nonfinite and not allow_nonfinite:
            raise NonFiniteError(
                _nonfinite_problem(nonfinite),
                file=store.label,
                hint="make smaller changes, or allow them with --allow-nonfinite (allow_nonfinite=True)",
            )
    return sink.outcome, found


class _Work:
    """The tiles of a plan, and what came of them."""

    def __init__(self, plan: Plan, store: WeightStore, sink: Sink, progress: Progress | None) -> None:
        self._plan, self._sink, self._progress = plan, sink, progress
        self._read: Callable[[WeightRef, slice], np.ndarray] = getattr(store, "look", store.read)
        self._lock = threading.Lock()
        self._found: _Found = {}

    def do(self) -> None:
        """Transform every tile."""
        plan = self._plan
        tiny = plan.nbytes < len(plan.chosen) * _TINY
        share(self._spans(), self._transform, 0 if tiny else plan.nbytes)

    def found(self) -> _Found:
        """What was lost by weight, in the order of the plan."""
        return {ref: self._found[ref] for ref in self._plan.chosen if ref in self._found}

    def _spans(self) -> Iterator[tuple[WeightRef, slice]]:
        for ref in self._plan.chosen:
            for span in tiles(self._plan.transform, ref):
                yield ref, span

    def _transform(self, ref: WeightRef, span: slice) -> None:
        before = self._read(ref, span)
        after = transformed(self._plan.transform, ref, before, span)
        if after.shape != before.shape:
            raise RequestError(
                f"{self._plan.transform!r} makes {after.shape} of {before.shape} elements of {ref.path}",
                hint="give a transform that keeps shapes",
            )
        self._sink.write(ref, after, span)
        lost = losses(before, after)
        if lost or self._progress:
            with self._lock:
                if lost:
                    self._found[ref] = self._found.get(ref, Losses()) + lost
                if self._progress:
                    self._progress(after.nbytes)


def _nonfinite_problem(found: _Found) -> str:
    total = sum(found.values(), start=Losses()).nonfinite
    worst = ", ".join(ref.path for ref in list(found)[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004  # as many as are shown
    return (
        f"the edit would make {total.infinities} infinities and {total.nans} NaNs out of finite numbers, "
        f"in {worst}{more}"
    )

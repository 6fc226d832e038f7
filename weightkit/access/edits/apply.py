"""Do a planned edit: read, transform and write, tile by tile, in two threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import Losses, losses, transformed
from weightkit.access.edits.tasks import share
from weightkit.access.edits.tiles import tiles
from weightkit.errors import NonFiniteError, RequestError, WeightkitError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from weightkit.access.edits.transform import Edit, Transform
    from weightkit.access.edits.verify import Verification
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import Destination, Outcome, Sink, WeightStore

Progress = Callable[[int], None]
_TINY = 16 << 10  # bytes a weight, on average: two threads would wait for each other more than they compute
_Found = dict["WeightRef", Losses]


def run(
    edit: Edit,
    store: WeightStore,
    destination: Destination,
    *,
    allow_nonfinite: bool,
    progress: Progress | None,
    verify: bool = False,
) -> tuple[Outcome | None, _Found, Verification | None]:
    """Do an edit; returns what it left on disk, what weights lost, and what was compared."""
    sets_values, verification = edit.transform.sets_values, None
    with store.editing(edit.chosen if sets_values else (), destination, edit.changes) as sink:
        work = _Work(edit, store, sink, progress)
        if sets_values:
            if not edit.transform.reads_models:
                sink.may_set_early()
            work.do()
        found = work.found()
        nonfinite = {ref: lost for ref, lost in found.items() if lost.nonfinite}
        # Within the `with`: the error discards what was written.
        if nonfinite and not allow_nonfinite:
            raise NonFiniteError(
                _nonfinite_problem(nonfinite),
                file=store.label,
                hint="make smaller changes, or allow them with --allow-nonfinite (allow_nonfinite=True)",
            )
        if verify:
            verification = _verified(edit, store, sink)
    return sink.outcome, found, verification


def require_verifiable(store: WeightStore) -> None:
    """Refuse to verify what is not written to a new file, before anything is computed.

    Raises:
        RequestError: An edit of this store makes no new file.
    """
    if not store.makes_files:
        raise RequestError("there is no new file to verify", hint="leave verify out", file=store.label)


def _verified(edit: Edit, store: WeightStore, sink: Sink) -> Verification:
    from weightkit.access.edits.verify import verified  # noqa: PLC0415  # few edits need it

    try:
        return verified(edit, store, sink.complete())
    except WeightkitError as error:
        raise error.about(store.label) from error.__cause__


class _Work:
    """The tiles of an edit, and their results."""

    def __init__(self, edit: Edit, store: WeightStore, sink: Sink, progress: Progress | None) -> None:
        self._edit, self._sink, self._progress = edit, sink, progress
        # Without a copy: `transformed` makes what it gets read-only.
        self._read: Callable[[WeightRef, slice], np.ndarray] = store.look
        self._lock = threading.Lock()
        self._found: _Found = {}

    def do(self) -> None:
        """Transform every tile."""
        nbytes = self._edit.nbytes
        tiny = nbytes < len(self._edit.chosen) * _TINY
        share(self._spans(), self._transform, 0 if tiny else nbytes)

    def found(self) -> _Found:
        """What each weight lost, in the order of the edit."""
        return {ref: self._found[ref] for ref in self._edit.chosen if ref in self._found}

    def _spans(self) -> Iterator[tuple[WeightRef, slice]]:
        for ref in self._edit.chosen:
            for span in tiles(self._edit.transform, ref):
                yield ref, span

    def _transform(self, ref: WeightRef, span: slice) -> None:
        values, lost = self._read(ref, span), Losses()
        for part in self._edit.transform.parts(ref):
            before, values = values, _same_shape(part, ref, values, span)
            lost += losses(before, values)  # of each part: an infinity may be clipped by the next one
        self._sink.write(ref, values, span)
        if lost or self._progress:
            with self._lock:
                if lost:
                    self._found[ref] = self._found.get(ref, Losses()) + lost
                if self._progress:
                    # Under the lock: callbacks never run in two threads at once.
                    self._progress(values.nbytes)


def _same_shape(transform: Transform, ref: WeightRef, before: np.ndarray, span: slice) -> np.ndarray:
    """New values, as many as before."""
    after = transformed(transform, ref, before, span)
    if after.shape != before.shape:
        raise RequestError(
            f"{transform!r} must keep the shape {before.shape} of {ref.path}, got {after.shape}",
            hint="give a transform that keeps shapes",
        )
    return after


def _nonfinite_problem(found: _Found) -> str:
    total = sum(found.values(), start=Losses()).nonfinite
    return (
        f"the edit would turn finite numbers into {total.infinities} infinities and {total.nans} NaNs, "
        f"in {listed(ref.path for ref in found)}"
    )

"""Several processes that run cases; one that dies or hangs loses one case, which is named."""

from __future__ import annotations

import multiprocessing
import resource
import warnings
from typing import TYPE_CHECKING, Any

from tests.fuzz.bases import bases
from tests.fuzz.cases import Result, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATIENCE = 120.0  # seconds for one case, where even its time limit does not end it
_FORK = multiprocessing.get_context("fork")


def results(names: Sequence[str], jobs: int) -> Iterator[Result]:
    """What became of each case, in any order."""
    bases()  # read once, here, for all processes
    working = [_Job(names[number::jobs]) for number in range(jobs)]
    while working:
        for job in list(working):
            result = job.next()
            if result is None:
                working.remove(job)
            else:
                yield result


class _Job:
    """One process, and the cases that are left to it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._done = 0
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_work, args=(self._names[self._done :], theirs), daemon=True)
        self._process.start()
        theirs.close()

    def next(self) -> Result | None:
        """The result of its next case; None where it has no more."""
        if self._done == len(self._names):
            self._process.join()
            return None
        name = self._names[self._done]
        self._done += 1
        try:
            if self._pipe.poll(_PATIENCE):
                result: Result = self._pipe.recv()
                return result
            why = "it hangs"
        except EOFError:
            why = "the process died"
        self._process.kill()
        self._process.join()
        self._start()
        return Result("?", why.upper(), f"{name}: {why}")


def _work(names: Sequence[str], pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # of names that occur twice, as they should
    for name in names:
        pipe.send(run(name))

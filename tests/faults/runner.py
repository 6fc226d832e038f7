"""Runs a case again and again, harmed each time in another way, and judges what is left."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tests.faults.cases import files
from tests.faults.judge import Known, Run, judged_next, may_leave
from tests.faults.kinds import UNHARMED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.cases import Case, Files
    from tests.faults.kinds import Fault


class Runner(ABC):
    """What any way of harming a run shares: folders, and what unharmed runs leave in them.

    Args:
        folder: Where the files lie; its subfolders are made here.
        errors: Where standard error goes.
    """

    def __init__(self, folder: Path, errors: Path) -> None:
        self._files, self._spool, self._errors = folder / "files", folder / "spool", errors
        for made in (self._files, self._spool):
            made.mkdir(parents=True, exist_ok=True)
        self._known: dict[Case, Known] = {}

    @abstractmethod
    def _execute(self, case: Case, command: list[str]) -> tuple[int, bool]:
        """Run a command in the folder; its exit code, and whether its reading process outlived it."""

    def known(self, case: Case) -> Known:
        """What unharmed runs leave.

        Raises:
            RuntimeError: One of them failed, or two differ.
        """
        if case not in self._known:
            before = self._prepare(case)
            after = self._unharmed(case, case.command())
            time.sleep(1 - time.time() % 1)  # files that tell the time differ now
            self._prepare(case)
            if self._unharmed(case, case.command()) != after:
                raise RuntimeError(f"{case}: two unharmed runs differ")
            from_after = self._unharmed(case, case.next_command())
            self._prepare(case)
            self._known[case] = Known(before, after, self._unharmed(case, case.next_command()), from_after)
        return self._known[case]

    def _unharmed(self, case: Case, command: list[str]) -> Files:
        self._set(case, UNHARMED, 0)
        run = self._start(case, command)
        if run.code:
            raise RuntimeError(f"{case}: weightkit {' '.join(command)} ended with {run.code}: {run.errors}")
        return run.files

    def _after(self, case: Case, fault: Fault, call: str, run: Run) -> Iterator[str]:
        if may_leave(fault, call):
            known = self.known(case)
            self._set(case, UNHARMED, 0)
            yield from judged_next(case, known, run.files, self._start(case, case.next_command()))

    @abstractmethod
    def _set(self, case: Case, fault: Fault, at: int) -> None:
        """Let the next run be harmed so."""

    def _prepare(self, case: Case) -> Files:
        case.prepare(self._files)
        shutil.rmtree(self._spool)
        self._spool.mkdir()
        return files(self._files)

    def _start(self, case: Case, command: list[str]) -> Run:
        code, outlived = self._execute(case, command)
        errors = self._errors.read_text(errors="replace")
        return Run(code, errors, files(self._files), sorted(path.name for path in self._spool.iterdir()), outlived)

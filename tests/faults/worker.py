"""A warm process that runs edits: each in a fork of its own, so that it starts in milliseconds and dies alone."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib
import io
import json
import os
import pkgutil
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import typer.main

import weightkit
from tests.faults.cases import Case
from tests.faults.judge import Known, judged
from tests.faults.kinds import CALLS, FAULTS, TRANSFERS, UNHARMED, Action, Fault, State, loaded_state
from tests.faults.meddled import meddled
from tests.faults.processes import ForkedReader, all_ended, connect, ended
from tests.faults.runner import Runner
from tests.faults.tmpfs import PAGE, small_disk
from tests.faults.wrapped import wrap
from weightkit.access.hdf5 import scanner
from weightkit.cli.main import main
from weightkit.cli.main import run as look

if TYPE_CHECKING:
    from collections.abc import Iterator


_UNLOADED = ("weightkit.testing", "weightkit.training", "weightkit.layers", "weightkit.rewrites", "weightkit.runtime")
"""Parts that the command line never loads: they need Keras."""
_PATIENCE = 60.0  # seconds for one command
_LINGERING = 15.0  # seconds that the reading process may outlive its editor
_BECOME_SUBREAPER = 36  # prctl: orphaned grandchildren become ours


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that struck, and what is wrong with what came of it."""

    at: int
    call: str
    reader: bool
    code: int
    deviations: tuple[str, ...]


def load_everything() -> None:
    """Import and compute whatever every edit needs: it need not be done in each run, and stays as it is."""
    for module in pkgutil.walk_packages(weightkit.__path__, "weightkit."):
        if not module.name.startswith((*_UNLOADED, "weightkit.__main__")):
            importlib.import_module(module.name)
    typer.main.get_command = functools.cache(typer.main.get_command)


class Forked(Runner):
    """Runs each command in a fork of this process.

    Args:
        folder: Where the files lie.
        errors: Where standard error goes.
        state: What steers the faults in the forked processes.
    """

    def __init__(self, folder: Path, errors: Path, state: State) -> None:
        super().__init__(folder, errors)
        self._state = state
        load_everything()
        ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)
        scanner.subprocess = SimpleNamespace(  # type: ignore[assignment, attr-defined]
            Popen=ForkedReader, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
        )

    def struck(self, case: Case, fault: Fault, first: int, last: int, every: int) -> Iterator[Struck]:
        """Runs of a case with a fault at call ``first``, then ``every`` calls on, until one completes unharmed."""
        known, at, calls = self.known(case), first, self._calls(case)
        while at <= last:
            if at >= len(calls) or _applies(case, fault, *calls[at]):
                self._prepare(case)
                self._set(case, fault, at)
                run = self._start(case, case.command())
                if self._state.count < at:
                    return
                if self._state.fired:
                    call, reader = self._state.call(at)
                    if fault.meddles:
                        wrong = tuple(meddled(case, fault, known, run, late=at >= _replacing(calls)))
                    else:
                        wrong = (*judged(case, fault, call, known, run), *self._after(case, fault, call, run))
                    yield Struck(at, call, reader, run.code, wrong)
            at += every

    def known(self, case: Case) -> Known:
        """What unharmed runs leave; a look at the file, here, fills this process' caches first."""
        if case not in self._known:
            self._prepare(case)
            with contextlib.redirect_stderr(io.StringIO()):
                look(["show", str(self._files / case.source)])
        return super().known(case)

    def least_pages(self, case: Case) -> int:
        """Pages of a disk that holds what there is before an edit."""
        self.known(case)
        self._prepare(case)
        return sum(-(-path.stat().st_size // PAGE) for path in self._files.iterdir())

    def filled(self, case: Case, *, plenty: bool) -> Struck:
        """One run on a disk that may be too small; ``plenty`` makes it claim that it is not."""
        known = self.known(case)
        self._prepare(case)
        self._set(case, UNHARMED, 0)
        self._state.plenty = plenty
        run = self._start(case, case.command())
        fault = Fault("full", Action.FAIL) if run.code else UNHARMED
        return Struck(0, "full", reader=False, code=run.code, deviations=tuple(judged(case, fault, "", known, run)))

    def _calls(self, case: Case) -> list[tuple[str, bool]]:
        self._prepare(case)
        self._unharmed(case, case.command())
        return [self._state.call(number) for number in range(self._state.count + 1)]

    def _set(self, case: Case, fault: Fault, at: int) -> None:
        self._state.set(fault, at, poor=case.poor, source=case.source)

    def _execute(self, case: Case, command: list[str]) -> tuple[int, bool]:  # others need the case
        editor = os.fork()
        if editor == 0:
            self._edit(command)
        code = ended(editor, _PATIENCE)
        outlived = not all_ended(_LINGERING)
        self._state.armed = 0
        return code, outlived

    def _edit(self, command: list[str]) -> NoReturn:
        """In the fork: become ``python -m weightkit COMMAND``."""
        code = 1
        try:
            os.chdir(self._files)
            os.environ["TMPDIR"] = str(self._spool)
            connect(0, os.devnull, os.O_RDONLY)
            connect(1, os.devnull, os.O_WRONLY)
            connect(2, str(self._errors), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = ["weightkit", *command]
            self._state.arm(os.getpid())
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001  # the interpreter would print it and exit with 1
            traceback.print_exc()
        atexit._run_exitfuncs()  # as the interpreter does when it ends
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve(folder: Path, library: str) -> None:
    """Take tasks as lines of JSON on standard input, and answer each with lines of JSON on standard output."""
    os.environ.pop("LD_PRELOAD", None)
    replies, tasks = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    connect(0, os.devnull, os.O_RDONLY)
    connect(1, os.devnull, os.O_WRONLY)
    state = loaded_state(library) if library else wrap()
    forked = Forked(folder, folder / "errors", state)
    for line in tasks:
        task = json.loads(line)
        case = Case(*task["case"])
        try:
            if task["fault"] in FAULTS:
                found = forked.struck(case, FAULTS[task["fault"]], task["first"], task["last"], task["every"])
            else:
                found = levels(case, folder, state, plenty=task["fault"] == "full, unasked")
            for struck in found:
                print(json.dumps(asdict(struck)), file=replies, flush=True)
        except Exception as error:  # noqa: BLE001  # the others are to go on
            print(json.dumps({"broken": f"{type(error).__name__}: {error}"}), file=replies, flush=True)
        print("{}", file=replies, flush=True)


def levels(case: Case, folder: Path, state: State, *, plenty: bool) -> Iterator[Struck]:
    """Runs on a disk of one page, and one more each time, until it is large enough."""
    with small_disk(folder / "disk") as resize:
        forked = Forked(folder / "disk", folder / "errors", state)
        pages, enough = forked.least_pages(case), 0
        while enough < 2:
            resize(pages)
            struck = forked.filled(case, plenty=plenty)
            enough += struck.code == 0
            yield replace(struck, at=pages)
            pages += 1


def _replacing(calls: list[tuple[str, bool]]) -> int:
    """The first call after the new file is on the disk: nothing is looked at any more."""
    return next(number for number, (call, reader) in enumerate(calls) if call == "fsync" and not reader) + 1


def _applies(case: Case, fault: Fault, call: str, reader: bool) -> bool:
    if fault.meddles and (case.poor or case.verb == "restore"):  # these look at the file in other places
        return False
    match fault.action:
        case Action.SIGNAL_READER:
            return reader
        case Action.SHORT:
            return call in CALLS[:TRANSFERS]
        case _:
            return True


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])

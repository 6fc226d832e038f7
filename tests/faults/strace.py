"""Faults by strace: whole processes, started as a user starts them, with nothing of ours inside."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests import ROOT
from tests.faults.judge import judged
from tests.faults.kinds import FAULTS, UNHARMED, Action, Fault
from tests.faults.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.cases import Case

# Not write, by which only results are printed, nor openat, by which Python loads its modules: strace cannot tell.
CALLS = (
    "pwrite64", "copy_file_range", "ftruncate", "fallocate", "rename", "link", "unlink", "fsync", "fchmod", "fchown",
    "fsetxattr", "utimensat",
)  # fmt: skip
_LINE = re.compile(r"(\d+) +(\w+)\(")
_STRIKES = 12  # in one case before the next
_PATIENCE = 120.0  # seconds for one command


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: at which call of which kind."""

    case: Case
    fault: Fault
    call: str
    at: int


class Traced(Runner):
    """Runs each command as a process of its own, under strace where it is to be harmed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, folder / "errors")
        self._log = folder / "log"
        self._options: list[str] | None = None

    def calls(self, case: Case) -> Counter[str]:
        """How often each call is made, by the process that makes it most often."""
        self.known(case)
        self._prepare(case)
        self._options = []
        self._start(case, case.command())
        counted: Counter[tuple[str, str]] = Counter(_LINE.findall(self._log.read_text(errors="replace")))
        most: Counter[str] = Counter()
        for (_, call), count in counted.items():
            if call in CALLS:
                most[call] = max(most[call], count)
        return most

    def strike(self, strike: Strike) -> dict[str, Any] | None:
        """Run a case with one fault; None where it did not come to that call."""
        case, fault = strike.case, strike.fault
        known = self.known(case)
        self._prepare(case)
        self._options = [f"--inject={_injection(strike)}"]
        run = self._start(case, case.command())
        editor, hit = self._hit(strike)
        if not hit:
            return None
        found = fault if editor in hit or fault.action is Action.FAIL else _for_reader(fault)
        wrong = [*judged(case, found, strike.call, known, run), *self._after(case, found, strike.call, run)]
        return {
            "at": strike.at, "call": strike.call, "reader": editor not in hit, "code": run.code, "deviations": wrong,
            "again": f"strace -f --inject={_injection(strike)} weightkit {' '.join(case.command())}",
        }  # fmt: skip

    def _set(self, case: Case, fault: Fault, at: int) -> None:  # only unharmed runs come this way
        self._options = None

    def _hit(self, strike: Strike) -> tuple[str, set[str]]:
        """The process that edits, and the processes that came to the call."""
        made = _LINE.findall(self._log.read_text(errors="replace"))
        counted = Counter(process for process, call in made if call == strike.call)
        return made[0][0], {process for process, count in counted.items() if count >= strike.at}

    def _execute(self, case: Case, command: list[str]) -> tuple[int, bool]:  # others need the case
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self._spool.absolute())}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
        full = [*self._strace(), sys.executable, "-m", "weightkit", *command]
        with self._errors.open("w") as errors:
            done = subprocess.run(
                full, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, cwd=self._files,
                env=environment, timeout=_PATIENCE, check=False,
            )  # fmt: skip
        return done.returncode, False

    def _strace(self) -> list[str]:
        if self._options is None:
            return []
        trace = ",".join(CALLS)
        return ["strace", "-f", "-qq", "-o", str(self._log), f"-etrace=execve,{trace}", *self._options]


def sample(
    cases: Sequence[Case], faults: Sequence[str], seconds: float, seed: int, folder: Path
) -> Iterator[tuple[Case, str, dict[str, Any]]]:
    """Faults drawn at random, until the time is over: the case, the fault's name, and what came of it."""
    if shutil.which("strace") is None:
        sys.exit("python -m tests.faults --strace: there is no strace here")
    deadline, jobs = time.monotonic() + seconds, 2
    wanted = [FAULTS[name] for name in faults if FAULTS[name].action in {Action.SIGNAL_EDITOR, Action.FAIL}]
    known = [case for case in cases if not case.poor]
    shares = [known[number::jobs] for number in range(jobs)]
    found: list[list[tuple[Case, str, dict[str, Any]]]] = [[] for _ in range(jobs)]

    def work(number: int) -> None:
        traced, drawn = Traced(folder / str(number)), random.Random(seed + number)  # nothing secret
        if shares[number]:
            found[number].extend(_sampled(traced, shares[number], wanted, drawn, deadline))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, range(jobs)))
    for part in found:
        yield from part


def _sampled(
    traced: Traced, cases: list[Case], faults: list[Fault], drawn: random.Random, deadline: float
) -> Iterator[tuple[Case, str, dict[str, Any]]]:
    """Some faults of one case, then of the next: what unharmed runs leave has to be found out for each."""
    while True:
        case = drawn.choice(cases)
        counted = traced.calls(case)
        for _ in range(_STRIKES):
            if time.monotonic() > deadline:
                return
            call, fault = drawn.choice(sorted(counted)), drawn.choice(faults)
            struck = traced.strike(Strike(case, fault, call, drawn.randint(1, counted[call])))
            if struck is not None:
                yield case, fault.name, struck


def _injection(strike: Strike) -> str:
    what = f"error={strike.fault.name}" if strike.fault.action is Action.FAIL else f"signal={strike.fault.name}"
    return f"{strike.call}:{what}:when={strike.at}"


def _for_reader(fault: Fault) -> Fault:
    """What a signal to the reading process comes to: it ignores an interrupt, and dies of all others."""
    return UNHARMED if fault.name == "SIGINT" else FAULTS["reader"]

"""Make every call that changes a file fail, fall short, or be the last one, and look at what is left of the weights.

    python -m tests.faults               everything: takes about half an hour with two workers
    python -m tests.faults --quick       each seventh call, in place and with -o
    python -m tests.faults --tmpfs       full small disks, too (root)
    python -m tests.faults --strace 300  nothing forked, nothing preloaded: whole processes under strace

Somebody else also does something to the file at each call: the edit sees it, or was done before.

After each fault: the file is bit for bit the old one or the new one, the old one is kept where backups are, the exit
code and the message are right, nothing is left behind unless the process was killed, and then the next run clears
it away. It prints what is not so, with the command line that shows it again, and counts; and then exits with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.cases import FORMATS, PLACES, VERBS, Case, cases
from tests.faults.client import answers, started, task
from tests.faults.kinds import FAULTS
from tests.faults.strace import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL = ("full", "full, unasked")
_QUICK_STEP = 7
_QUICK_PLACES = ("in-place", "output")
_REPORT_EVERY = 20.0  # seconds


@dataclass(slots=True)
class Tally:
    """What has been counted, and what was wrong."""

    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    passed_over: Counter[tuple[str, str]] = field(default_factory=Counter)
    deviations: int = 0
    began: float = field(default_factory=time.monotonic)
    _reported: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, case: Case, fault: str, struck: dict[str, Any]) -> None:
        """Count one run, and print what is wrong with it."""
        with self._lock:
            if "broken" in struck:
                self._deviation(f"{case} · {fault}: {struck['broken']}", "")
                return
            self.struck[case.verb, fault] += 1
            self.codes[fault, struck["code"]] += 1
            if struck["code"] == 0 and fault in {"EIO", "ENOSPC", "EDQUOT"}:
                self.passed_over[struck["call"], fault] += 1
            who = "the reading process'" if struck["reader"] else "the editor's"
            for wrong in struck["deviations"]:
                self._deviation(
                    f"{case} · {fault} at call {struck['at']}, {who} {struck['call']}: {wrong}",
                    struck.get("again", _again(case, fault, struck["at"])),
                )
            if time.monotonic() - self._reported > _REPORT_EVERY:
                self._reported = time.monotonic()
                print(f"… {self.struck.total()} faults, {self.deviations} deviations, {self.seconds:.0f} s", flush=True)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began

    def _deviation(self, wrong: str, again: str) -> None:
        self.deviations += 1
        print(f"DEVIATION {wrong}", f"  {again}", sep="\n", flush=True)

    def show(self) -> None:
        """Print counts by verb and fault."""
        faults = [fault for fault in (*FAULTS, *_FULL) if any(fault == found for _, found in self.struck)]
        width = max(map(len, VERBS)) + 2
        print("\nfaults by verb".ljust(width))
        print("".ljust(width), *(fault.rjust(max(8, len(fault))) for fault in faults), "     all", sep="")
        for verb in VERBS:
            counts = [self.struck[verb, fault] for fault in faults]
            cells = [str(count).rjust(max(8, len(fault))) for count, fault in zip(counts, faults, strict=True)]
            print(verb.ljust(width), *cells, str(sum(counts)).rjust(8), sep="")
        codes = (f"{fault} → {code}: {count}" for (fault, code), count in sorted(self.codes.items()))
        print("exit codes:", ", ".join(codes))
        over = (f"{fault} of {call}: {count}" for (call, fault), count in sorted(self.passed_over.items()))
        print("failures gone past:", ", ".join(over) or "none")
        print(f"{self.struck.total()} faults, {self.deviations} deviations, {self.seconds:.0f} s")


def main() -> int:
    """Run what the arguments ask for; 1 where anything deviates."""
    options = _arguments()
    # What is started in the background ignores it, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = cases(options.verbs, options.formats, options.places)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="weightkit-faults-", dir=options.folder) as name:
        folder = Path(name).resolve()  # workers start in another one
        if options.strace:
            for case, fault, struck in sample(chosen, options.faults, options.strace, options.seed, folder):
                tally.add(case, fault, struck)
        else:
            _run(_tasks(chosen, options), folder, options, tally)
    tally.show()
    return int(tally.deviations > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, known in (("verbs", VERBS), ("formats", FORMATS), ("places", PLACES), ("faults", FAULTS)):
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), help=f"some of: {','.join(known)}")
    parser.add_argument("--quick", action="store_true", help="a sample")
    parser.add_argument("--at", type=int, help="only at this call")
    parser.add_argument("--limit", type=int, help="at most so many pairs of a case and a fault, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--tmpfs", action="store_true", help="full small disks, too")
    parser.add_argument("--strace", type=float, metavar="SECONDS", help="a sample of whole processes under strace")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no pair after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="workers")
    parser.add_argument("--folder", type=Path, help="on which file system; the temporary folder's otherwise")
    options = parser.parse_args()
    options.verbs, options.formats = options.verbs or list(VERBS), options.formats or list(FORMATS)
    options.places = options.places or list(_QUICK_PLACES if options.quick else PLACES)
    options.faults = options.faults or list(FAULTS)
    for given, known in ((options.verbs, VERBS), (options.formats, FORMATS), (options.places, PLACES)):
        if not set(given) <= set(known):
            parser.error(f"{','.join(given)}: choose from {','.join(known)}")
    return options


def _tasks(chosen: list[Case], options: argparse.Namespace) -> list[dict[str, Any]]:
    """What workers are asked for: a case and a fault, from a first call to a last one."""
    first, last = (options.at, options.at) if options.at else (1, sys.maxsize)
    faults = [fault for fault in options.faults if fault in FAULTS]
    if options.tmpfs:
        if os.geteuid() == 0:
            faults += _FULL
        else:
            print("full small disks: NOT TRIED, since only root may mount one")
    drawn = random.Random(options.seed)  # nothing secret is drawn
    pairs = [(case, fault) for case in chosen for fault in faults]
    every = _QUICK_STEP if options.quick else 1
    pairs = drawn.sample(pairs, min(options.limit or len(pairs), len(pairs)))
    return [task(case, fault, drawn.randint(1, every) if every > 1 else first, last, every) for case, fault in pairs]


def _run(tasks: Sequence[dict[str, Any]], folder: Path, options: argparse.Namespace, tally: Tally) -> None:
    library = _compiled(folder)
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for asked in tasks:
        waiting.put(asked)
    deadline = time.monotonic() + options.seconds
    threads = [
        threading.Thread(target=_work, args=(waiting, deadline, folder / str(number), library, tally))
        for number in range(options.jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if waiting.qsize():
        print(f"\n{waiting.qsize()} of {len(tasks)} pairs of a case and a fault were not begun: the time was over")


def _compiled(folder: Path) -> Path:
    if shutil.which("gcc") is None:
        sys.exit("python -m tests.faults needs gcc, for the library that it preloads")
    library = folder / "faults.so"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(Path(__file__).with_name("preload.c"))]
    subprocess.run(command, check=True)
    return library


def _work(
    waiting: queue.SimpleQueue[dict[str, Any]], deadline: float, folder: Path, library: Path, tally: Tally
) -> None:
    """Feed one worker until nothing waits; a worker that dies is a deviation, and is followed by another."""
    folder.mkdir()
    with contextlib.suppress(queue.Empty):
        while True:
            with started(folder, library) as worker:
                while worker.poll() is None:
                    if time.monotonic() > deadline:
                        return
                    asked = waiting.get_nowait()
                    for struck in answers(worker, asked):
                        tally.add(Case(*asked["case"]), asked["fault"], struck)


def _again(case: Case, fault: str, at: int) -> str:
    which = "--tmpfs --faults none" if fault in _FULL else f"--faults {fault} --at {at}"
    return f"python -m tests.faults --verbs {case.verb} --formats {case.format} --places {case.place} {which}"


if __name__ == "__main__":
    sys.exit(main())

"""Run everything that is checked as one queue of jobs, the longest first, so that no core idles.

    python tests/run_suite.py --backends tensorflow,jax      everything
    python tests/run_suite.py --rooms --backends torch       only what runs on a backend
    ... -- ARGS                                              pytest with ARGS instead of everything

`scripts/test` calls it in its environment.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import durations

ROOT = Path(__file__).parent.parent
PYTEST = (sys.executable, "-m", "pytest", "--quiet")
TOOLS = Path(sys.executable).parent
NOISE = re.compile(r"[.sxXEF]+ *(\[ *\d+%\])?|WARNING: All log messages before absl.*|I0000 .*")
"""Rows of dots, and what TensorFlow prints whatever it is told."""
NO_TESTS = 5  # the exit code of pytest where its arguments chose none

CHUNKS = {
    "end to end": (300, ("end_to_end",)),
    "access": (140, ("access",)),
    "command line": (110, ("cli", "surgery", "test_readme.py")),
    "faults and hostile": (110, ("faults", "fuzz", "hostile")),
}
"""Parts of the tests without Keras, with about what each takes in processor seconds; all others are one part more."""
WITHOUT_KERAS = ("end_to_end/test_bare_environment.py", "end_to_end/test_files.py")
"""What no backend changes."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A process to run, and about how many processor seconds it takes."""

    name: str
    seconds: int
    command: tuple[str, ...]
    tests: bool = True


@dataclasses.dataclass(frozen=True)
class Done:
    """How a job ended."""

    job: Job
    report: Path
    ok: bool
    output: str
    wall: float
    processor: float

    def outcomes(self):
        """Counts of tests; a job that failed without a failed test counts as one."""
        counts = durations.outcomes_of(self.report)
        counts["failed"] += not self.ok and not counts["failed"]
        return counts


def main():
    options = parsed(sys.argv[1:])
    os.environ["WEIGHTKIT_TEST_BACKENDS"] = options.backends
    backends = [backend for backend in options.backends.split(",") if backend]
    jobs = chosen_jobs(backends, options) if options.args else all_jobs(backends, options)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = run_all(jobs, Path(folder), may_be_empty=bool(options.args))
        print()
        for line in durations.table({one.job.name: one.report for one in done}):
            print(line)
        counts = sum((one.outcomes() for one in done), Counter())
    print(f"{time.monotonic() - began:.0f} seconds, {sum(one.processor for one in done):.0f} of processor time")
    failed = [one.job.name for one in done if not one.ok]
    if not counts["passed"] + counts["failed"]:
        failed.append("no test ran")
        counts["failed"] += 1
    for name in failed:
        print(f"failed: {name}")
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")))
    sys.exit(bool(failed))


def parsed(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--backends", default="tensorflow,jax")
    parser.add_argument("--rooms", action="store_true", help="only what runs on a backend")
    parser.add_argument("--full", action="store_true", help="the complete matrices, all tests on each backend")
    parser.add_argument("--unmarked", action="store_true", help="all tests on each backend")
    parser.add_argument("args", nargs="*", help="for pytest, after --")
    return parser.parse_args(arguments)


def all_jobs(backends, options):
    more = flags(options)
    jobs = [job for backend in backends for job in room_jobs(backend, more)]
    if options.rooms:
        return [*jobs, tests_of("end to end", [*more, *(f"--ignore=tests/{place}" for place in WITHOUT_KERAS)])]
    return [*jobs, *map(tests_of, CHUNKS, [more] * len(CHUNKS)), the_rest(more), *checks()]


def flags(options):
    return [f"--{name}" for name in ("full", "unmarked") if getattr(options, name)]


def room_jobs(backend, more):
    """Keras' rooms: a process a backend, and two on TensorFlow, where all of their tests run."""
    pytest = (*PYTEST, "--backend", backend, *more)
    if backend == "jax" and not more:
        return [Job(backend, 150, pytest)]
    layers = Job(f"{backend}: layers", 350, (*pytest, "tests/layers"))
    return [layers, Job(f"{backend}: training", 250, (*pytest, "tests", "--ignore", "tests/layers"))]


def tests_of(name, more):
    seconds, places = CHUNKS[name]
    return Job(name, seconds, (*PYTEST, *more, *(f"tests/{place}" for place in places)))


def the_rest(more):
    elsewhere = [f"--ignore=tests/{place}" for _, places in CHUNKS.values() for place in places]
    return Job("all other tests", 120, (*PYTEST, *more, "tests", *elsewhere))


def checks():
    yield Job("types", 60, (sys.executable, "-m", "mypy"), tests=False)
    yield Job("lint", 2, (str(TOOLS / "ruff"), "check", "."), tests=False)
    yield Job("format", 1, (str(TOOLS / "ruff"), "format", "--check", "."), tests=False)


def chosen_jobs(backends, options):
    """ARGS may choose from the tests with Keras, from those without, or from both."""
    more = [*flags(options), "--unmarked"]
    rooms = [Job(backend, 100, (*PYTEST, "--backend", backend, *more, *options.args)) for backend in backends]
    return rooms if options.rooms else [*rooms, Job("without Keras", 200, (*PYTEST, *more, *options.args))]


def run_all(jobs, folder, *, may_be_empty):
    """Run the jobs, one a core; what each prints is shown when it ends."""
    ordered = sorted(jobs, key=lambda job: -job.seconds)
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as slots:
        running = [
            slots.submit(run, job, folder / f"{number}.json", may_be_empty=may_be_empty)
            for number, job in enumerate(ordered)
        ]
        done = []
        for future in concurrent.futures.as_completed(running):
            done.append(future.result())
            show(done[-1])
    return done


def run(job, report, *, may_be_empty):
    command = [*job.command, f"--durations-to={report}"] if job.tests else job.command
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="backslashreplace")
    ok = process.returncode == 0 and (report.exists() or not job.tests)  # no report: pytest did not end by itself
    ok = ok or (may_be_empty and process.returncode == NO_TESTS)
    return Done(job, report, ok, text, time.monotonic() - began, usage.ru_utime + usage.ru_stime)


def show(done):
    """The name and what the job printed, less the noise."""
    times = f"{done.wall:.0f} seconds, {done.processor:.0f} of processor time"
    print(f"== {done.job.name}: {'ok' if done.ok else 'FAILED'}, {times}")
    for line in done.output.splitlines():
        if line and not NOISE.fullmatch(line):
            print(f"   {line}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

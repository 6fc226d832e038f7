"""What the jobs of ``scripts/bench`` share: files, clocks, and lines of the report."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
PROGRAMS = Path(__file__).parent / "programs"
WEIGHTKIT = [sys.executable, "-m", "weightkit"]
BARE_PEAK = 'import re; print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])'


def program(name: str) -> list[str]:
    """The command that runs one of the programs that lie beside this file."""
    return [sys.executable, str(PROGRAMS / f"{name}.py")]


def dense_file(path: Path, layers: int, rows: int = 4096, columns: int = 4096) -> Path:
    """A version-3 file of equal Dense layers: 64 MiB each at the usual size."""
    kernel = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    with h5py.File(path, "w") as file:
        for number in range(layers):
            key = f"dense_{number}" if number else "dense"
            group = file.create_group(f"layers/{key}/vars")
            group.attrs["name"] = key
            group["0"] = kernel
            group["1"] = np.zeros(columns, np.float32)
    return path


def timed(command: list[str], *, quiet: bool = True) -> float:
    """Seconds that a command took; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if quiet else None)
    return time.perf_counter() - start


def copied(source: Path, target: Path) -> float:
    """Seconds for ``cp`` and ``sync``."""
    start = time.perf_counter()
    subprocess.run(["cp", "--reflink=never", str(source), str(target)], check=True)
    subprocess.run(["sync"], check=True)
    return time.perf_counter() - start


def side_by_side(runs: int, **jobs: Callable[[], float]) -> dict[str, float]:
    """Medians of several jobs, run in turns so that the machine's moods meet all of them."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            subprocess.run(["sync"], check=True)
            times[name].append(job())
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def bare_peak() -> float:
    """Megabytes that a Python without anything takes."""
    return int(subprocess.check_output([sys.executable, "-c", BARE_PEAK])) / 1024


def report(what: str, ours: float, theirs: float, peer: str, wanted: float | None) -> None:
    """One line: both times, their ratio, and what was wanted."""
    verdict = (
        "" if wanted is None else f"; wanted at most {wanted:.3g}: {'ok' if ours <= theirs * wanted else 'MISSED'}"
    )
    print(
        f"{what:<52} ours {ours:7.3f} s   {peer} {theirs:7.3f} s   ratio {ours / theirs:5.2f}{verdict}",
        flush=True,
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds, and megabytes of the two processes above a bare interpreter."""

    seconds: float
    parent: float
    child: float

    def __str__(self) -> str:
        memory = f"parent {self.parent:6.1f} MB   child {self.child:6.1f} MB above a bare interpreter"
        return f"{self.seconds:8.2f} s   {memory}"


def measured(*arguments: object) -> Measured:
    """Run the command line and look at both processes' memory."""
    start = time.perf_counter()
    command = [*program("peak_memory"), *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    own, child = (int(part) / 1024 for part in done.stderr.split()[-2:])
    bare = bare_peak()
    return Measured(seconds, own - bare, child - bare)


class Jobs:
    """Jobs work in one folder that is removed afterwards."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder, self.quick, self.out = folder, quick, folder / "out"
        self.runs = 3 if quick else 7

    def command(self, verb: str, source: Path, *arguments: str) -> float:
        """Seconds for one of our commands, which sync by themselves."""
        self.out.unlink(missing_ok=True)
        return timed([*WEIGHTKIT, verb, str(source), *arguments, "-o", str(self.out)])

    def copy(self, source: Path) -> float:
        """Seconds for a copy to the same place."""
        self.out.unlink(missing_ok=True)
        return copied(source, self.out)

    def program(self, name: str, *arguments: str) -> float:
        """Seconds for one of the programs, which writes to the same place."""
        self.out.unlink(missing_ok=True)
        return timed([*program(name), *arguments])

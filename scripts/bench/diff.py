"""The job of ``scripts/bench`` that compares two files, with statistics, against ``h5diff`` without."""

from __future__ import annotations

import shutil
import subprocess
import time
from functools import partial

from tools import WEIGHTKIT, Jobs, dense_file, measured, report, side_by_side


def compared(command: list[str]) -> float:
    """Seconds for a comparison, which may find differences."""
    start = time.perf_counter()
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.returncode in {0, 1}, command
    return time.perf_counter() - start


class DiffJobs(Jobs):
    """Two files side by side."""

    def diff(self) -> None:
        """Two files of 1 GiB: the same, and every kernel changed."""
        first, same, other = (self.folder / name for name in ("first.h5", "same.h5", "other"))
        dense_file(first, 16)
        shutil.copyfile(first, same)
        subprocess.run(
            [*WEIGHTKIT, "scale", first, "--factor", "0.5", "-w", "**", "-o", other],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for what, second in (("equal", same), ("all scaled", other)):
            seconds = side_by_side(
                self.runs,
                ours=partial(compared, [*WEIGHTKIT, "diff", str(first), str(second)]),
                h5diff=partial(compared, ["h5diff", "-q", str(first), str(second)]),
            )
            report(f"diff: 1 GiB, {what}", seconds["ours"], seconds["h5diff"], "h5diff", 1.0)
            print(f"diff: 1 GiB, {what}: {measured('diff', first, second)}; wanted at most 120")
        for path in (first, same, other):
            path.unlink()

"""Fuzz the parent: nothing but errors of our own may come out of it, in two seconds and 200 MB.

    python -m tests.fuzz --cases 100000 --seed 1 --jobs 2
    python -m tests.fuzz --only 1:4711

A case is named by the seed and its number, and is the same on every run. The exit status is 1 where one failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.fuzz.cases import run
from tests.fuzz.jobs import results

_REPORT_EVERY = 1000  # cases


def main() -> int:
    """Run the cases, and count what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", default="", help="run one case, by its name")
    options = parser.parse_args()
    if options.only:
        result = run(options.only)
        print(result.kind, result.outcome, result.fault)
        return int(bool(result.fault))
    start, counts, failed = time.monotonic(), Counter[tuple[str, str]](), 0
    names = [f"{options.seed}:{number}" for number in range(options.start, options.start + options.cases)]
    for result in results(names, options.jobs):
        counts[result.kind, result.outcome] += 1
        if counts.total() % _REPORT_EVERY == 0:
            print(f"… {counts.total()} cases, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
        if result.fault:
            failed += 1
            print(f"FAILED {result.kind} {result.outcome} {result.fault}", flush=True)
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{count:8} {kind:8} {outcome}")
    print(f"{counts.total()} cases, {failed} failed, {time.monotonic() - start:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

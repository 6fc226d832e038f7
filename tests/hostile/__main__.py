"""Hostile files: make one for each thing that must be refused or contained, and see that it is.

    python -m tests.hostile make FOLDER
    python -m tests.hostile check FOLDER
    python -m tests.hostile flips tests/data/keras315_lora.keras --count 20000 --seed 1

Files are opened as an unprivileged user: one with external storage can make HDF5 overwrite whatever its opener may.
FOLDER is to be thrown away. What must become of each file stands in FOLDER/manifest.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.hostile.check import check_all, report
from tests.hostile.corpus import make_all
from tests.hostile.flips import flip
from tests.hostile.worker import Worker


def main() -> int:
    """Do what is asked; 1 where anything deviates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("make", help="make the files, their victims and the manifest")
    make.add_argument("folder", type=Path)
    make.add_argument("--small", action="store_true", help="leave out the large ones")
    check = verbs.add_parser("check", help="run the commands on each file and compare")
    check.add_argument("folder", type=Path)
    check.add_argument("--only", default="", help="files whose name holds this")
    check.add_argument("--shared", action="store_true", help="one reading process a file, not one a command")
    flips = verbs.add_parser("flips", help="spoil files in many ways")
    flips.add_argument("files", type=Path, nargs="+")
    flips.add_argument("--count", type=int, default=20_000, help="spoiled copies of each file")
    flips.add_argument("--seed", type=int, default=1)
    flips.add_argument("--every", type=int, default=4, help="edit each so-many-th; all are opened, read and planned")
    options = parser.parse_args()
    return {"make": _make, "check": _check, "flips": _flips}[options.verb](options)


def _make(options: argparse.Namespace) -> int:
    start = time.monotonic()
    make_all(options.folder.resolve(), large=not options.small)
    print(f"{len(list(options.folder.iterdir())) - 3} files in {time.monotonic() - start:.1f} s")
    return 0


def _check(options: argparse.Namespace) -> int:
    start = time.monotonic()
    found = check_all(options.folder.resolve(), shared=options.shared, only=options.only)
    good = report(found)
    print(f"{time.monotonic() - start:.0f} s")
    return 0 if good else 1


def _flips(options: argparse.Namespace) -> int:
    good = True
    with Worker() as first, Worker() as second:
        for file in options.files:
            tally = flip(file, options.count, options.seed, every=options.every, crew=(first, second))
            print(tally, flush=True)
            good = good and not tally.deviations
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

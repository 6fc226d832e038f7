"""What the tests of one run took and how they ended, in a file; and one table for the files of several runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

SLOWEST = 10


class Durations:
    """A pytest plugin: notes seconds by test, set-up included, and counts outcomes."""

    def __init__(self, path):
        self.path = Path(path)
        self.seconds = Counter()
        self.outcomes = Counter()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.outcomes["failed"] += 1
        elif report.skipped or report.when == "call":
            self.outcomes[report.outcome] += 1

    def pytest_collectreport(self, report):
        self.outcomes["failed"] += report.failed

    def pytest_sessionfinish(self):
        self.path.write_text(json.dumps({"seconds": self.seconds, "outcomes": self.outcomes}), encoding="utf-8")


def outcomes_of(path):
    """Counts by outcome; none where the run ended before any test did."""
    return Counter(json.loads(path.read_text())["outcomes"]) if path.exists() else Counter()


def table(reports):
    """Lines: seconds by folder, then the slowest tests; ``reports`` are files by the name of their run."""
    tests = [
        (seconds, test, name)
        for name, path in reports.items()
        if path.exists()
        for test, seconds in json.loads(path.read_text())["seconds"].items()
    ]
    folders = Counter()
    for seconds, test, _ in tests:
        folders[folder_of(test)] += seconds
    yield "seconds by folder:"
    yield from (f"{seconds:8.1f}  {folder}" for folder, seconds in folders.most_common())
    yield f"the {SLOWEST} slowest tests:"
    yield from (f"{seconds:8.1f}  {test} ({name})" for seconds, test, name in sorted(tests, reverse=True)[:SLOWEST])


def folder_of(test):
    """The folder below ``tests`` in which a test lies, or ``tests`` itself."""
    parts = Path(test.partition("::")[0]).parts
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]

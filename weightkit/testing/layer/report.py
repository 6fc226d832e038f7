"""The contract's summary at the end of a run: what passed, and what was exempt or not tested, and why.

To print it, import the function in a ``conftest.py``:
``from weightkit.testing.layer.report import pytest_terminal_summary``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts after the results; pytest calls this."""
    lines = summary(terminalreporter.stats.get("passed", ()))
    if lines:
        terminalreporter.section("layer contract")
        for line in lines:
            terminalreporter.write_line(line)


def summary(passed: Iterable[Any]) -> list[str]:
    """The lines for reports of tests that passed."""
    points: Counter[int] = Counter()
    exempt: Counter[str] = Counter()
    unseen: Counter[str] = Counter()
    for report in passed:
        properties = dict(getattr(report, "user_properties", ()))
        if "point" not in properties:
            continue
        # A node id ends with the class and the test.
        subject, point = report.nodeid.split("::")[-2], properties["point"]
        if properties.get("not_looked_at"):
            unseen[f"point {point}, {properties['not_looked_at']}: {subject}"] += 1
        elif properties.get("exempt"):
            exempt[f"{subject}, point {point}: {properties['exempt']}"] += 1
        else:
            points[point] += 1
    if not points and not exempt and not unseen:
        return []
    head = f"{points.total()} tests of {len(points)} points passed, {exempt.total()} exempt"
    lines = [f"  {line}" + (f" ({n} tests)" if n > 1 else "") for line, n in sorted(exempt.items())]
    if unseen:
        lines += [f"{unseen.total()} not tested", *_gathered(unseen)]
    return [head, *lines]


def _gathered(unseen: Iterable[str]) -> list[str]:
    """One line for each point and reason, with all of its subjects."""
    subjects: dict[str, list[str]] = {}
    for line in sorted(unseen):
        what, _, subject = line.rpartition(": ")
        subjects.setdefault(what, []).append(subject)
    return [f"  {what}: {', '.join(names)}" for what, names in subjects.items()]

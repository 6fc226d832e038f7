"""What the contract says at the end of a run: how much passed, and what was exempt with which reason.

To have it printed, import the function in a ``conftest.py``:
``from weightkit.testing.report import pytest_terminal_summary``.
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
    for report in passed:
        told = dict(getattr(report, "user_properties", ()))
        if told.get("exempt"):
            subject = report.nodeid.split("::")[-2]
            exempt[f"{subject}, point {told['point']}: {told['exempt']}"] += 1
        elif "point" in told:
            points[told["point"]] += 1
    if not points and not exempt:
        return []
    head = f"{points.total()} tests of {len(points)} points passed, {exempt.total()} exempt"
    return [head, *(f"  {line}" + (f" ({n} tests)" if n > 1 else "") for line, n in sorted(exempt.items()))]

"""A sample of the fault harness: every call that changes a file is wrapped, in a process that is really killed.

`python -m tests.faults` runs all of it; what is checked after each fault is told in `judge.py`.
"""

from __future__ import annotations

import sys

import pytest

from tests.faults.cases import Case
from tests.faults.client import answers, started, task
from tests.faults.kinds import FAULTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the harness waits for processes as only Linux can")

WHOLE = [
    *((Case("scale", "legacy", "in-place"), fault) for fault in FAULTS if fault != "reader"),
    (Case("scale", "keras", "output"), "short"),
    *((Case("strip", "weights", "in-place"), fault) for fault in ("SIGKILL", "SIGTERM", "EIO", "reader")),
    *(
        (Case("restore", "keras", "in-place"), name)
        for name, fault in FAULTS.items()
        if name not in {"reader", "short"} and not fault.meddles
    ),
]
"""Cases in which a fault strikes at every call."""

SAMPLE = [
    (Case("scale", "keras", "output"), "EDQUOT"),
    (Case("scale", "weights", "poor"), "ENOSPC"),
    (Case("scale", "legacy", "force"), "SIGINT"),
    (Case("scale", "keras", "output"), "touched"),
    (Case("strip", "weights", "no-backup"), "linked"),
    (Case("rebuild", "keras", "no-backup"), "short"),
    (Case("rebuild", "legacy", "output"), "SIGTERM"),
    (Case("cast", "weights", "in-place"), "SIGKILL"),
    (Case("cast", "keras", "force"), "EIO"),
    (Case("drop", "legacy", "poor"), "EROFS+"),
    (Case("drop", "keras", "in-place"), "ENOSPC"),
    (Case("restore", "legacy", "poor"), "SIGKILL"),
    (Case("restore", "weights", "no-backup"), "EIO"),
]
"""Cases in which a fault strikes at each seventh call."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with started(tmp_path_factory.mktemp("faults"), None) as process:
        yield process


def struck(worker, case, fault, every=1):
    found = list(answers(worker, task(case, fault, every=every)))
    assert not [answer["broken"] for answer in found if "broken" in answer]
    return found


def deviations(found):
    return [f"call {f['at']}, {f['call']}: {wrong}" for f in found for wrong in f["deviations"]]


@pytest.mark.parametrize(("case", "fault"), WHOLE, ids=str)
def test_a_fault_at_any_call_leaves_the_old_file_or_the_new_one(worker, case, fault):
    found = struck(worker, case, fault)
    assert found
    assert deviations(found) == []


@pytest.mark.parametrize(("case", "fault"), SAMPLE, ids=str)
def test_a_fault_at_some_calls_leaves_the_old_file_or_the_new_one(worker, case, fault):
    found = struck(worker, case, fault, every=7)
    assert found
    assert deviations(found) == []

"""Every hostile file is refused or contained as its manifest says; files with flipped bits are never anything else.

The files are opened by a process without privileges where the tests run as root, and as whoever runs the tests where
not: what external storage could then overwrite lies in the throw-away folder, and is a planted victim.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import DATA

from tests.hostile.check import check_all
from tests.hostile.corpus import CASES, make_all
from tests.hostile.flips import flip
from tests.hostile.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.hostile.case import Case

SMALL = [case for case in CASES if not case.large]
WORKERS = min(4, os.cpu_count() or 2)


@pytest.fixture(scope="session")
def findings() -> Iterator[Any]:
    """What became of each file: all of them are made and tried at once, in a folder that anybody may enter."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name) / "corpus"
        Path(name).chmod(0o755)
        make_all(folder, large=False)
        found = check_all(folder, workers=WORKERS, shared=True)
        yield {finding.file: finding for finding in found}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process that forks a child for each job."""
    with Worker() as started:
        yield started


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.what} [{case.file}]")
def test_a_hostile_file_does_what_its_manifest_says(findings: Any, case: Case) -> None:
    assert findings[case.file].deviations == ()


def test_nothing_in_the_folder_of_the_hostile_files_is_touched(findings: Any) -> None:
    assert set(findings) == {case.file for case in SMALL}


@pytest.mark.parametrize(
    "name",
    [
        "keras1_nested.h5",
        "keras315_lora.h5",
        "keras315_bfloat16.weights.h5",
        "keras315_subclassed.weights.h5",
        "keras315_lora.keras",
    ],
)
def test_a_spoiled_file_is_opened_or_refused_and_an_edit_keeps_its_structure(worker: Worker, name: str) -> None:
    tally = flip(DATA / name, 200, seed=20261121, every=5, crew=[worker])
    assert tally.deviations == []
    assert tally.counts["opened"] + tally.counts["not opened"] == 200
    assert tally.counts["edited"] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="without root there are no privileges to drop")
def test_hostile_files_are_opened_by_nobody(worker: Worker) -> None:
    answer = worker.ask({"task": "who", "seconds": 10})
    assert answer == {"user": [65534] * 3, "groups": [], "may write": False}

"""Workers, as seen from the process that feeds them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def started(folder: Path, library: Path | None) -> Iterator[subprocess.Popen[str]]:
    """Start a worker; without a library to preload, faults strike in Python's own functions."""
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if library:
        environment["LD_PRELOAD"] = str(library)
    command = [sys.executable, "-m", "tests.faults.worker", str(folder), str(library or "")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as worker:
        try:
            yield worker
        finally:
            with contextlib.suppress(BrokenPipeError):
                worker.stdin.close()  # type: ignore[union-attr]


def task(case: Any, fault: str, first: int = 1, last: int = sys.maxsize, every: int = 1) -> dict[str, Any]:
    """What a worker is asked for: a case and a fault, from a first call to a last one."""
    return {"case": [case.verb, case.format, case.place], "fault": fault, "first": first, "last": last, "every": every}


def answers(worker: subprocess.Popen[str], asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every fault that struck, or what broke."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(asked), file=worker.stdin, flush=True)
    for line in worker.stdout:
        answer = json.loads(line)
        if not answer:
            return
        yield answer
    yield {"broken": f"the worker ended with {worker.wait()}"}

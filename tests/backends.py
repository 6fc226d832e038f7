"""How a check that needs a backend is started: in a process of its own, that prints the facts it found as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BACKENDS = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")


_pool = ThreadPoolExecutor(1)
_started = {}


def start(checks):
    """Begin with checks on all backends while other tests run: most of those take one core."""
    for check in checks:
        for backend in BACKENDS:
            _started[check, backend] = _pool.submit(_run, check, backend)


def stop():
    """Begin with no more of them."""
    _pool.shutdown(cancel_futures=True)


def facts_of(check, backend):
    """The facts that a check found on one backend; a backend that is asked for and missing fails here."""
    return _started[check, backend].result()


def _run(check, backend):
    with tempfile.TemporaryDirectory(prefix=f"{check}-{backend}-") as folder:
        return _facts(check, backend, folder)


def _facts(check, backend, folder):
    quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(Path(__file__).parent / "end_to_end" / check), folder]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong(facts, *words):
    """The facts about something that do not hold, with what was found instead; there must be such facts."""
    found = {fact: holds for fact, holds in facts.items() if all(word in fact for word in words)}
    assert found
    return {fact: holds for fact, holds in found.items() if holds is not True}

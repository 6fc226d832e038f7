"""How a check that needs a backend is started: in a process of its own, that prints the facts it found as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import full

BACKENDS = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")
FIRST_OR_ALL = BACKENDS if full.on_every_backend else BACKENDS[:1]
"""Where what does not differ by backend runs: on the first, with ``--unmarked`` (as in CI) on each."""
CHECKS = Path(__file__).parent / "end_to_end"


def facts_of(check, backend, *arguments):
    """The facts that a check found on one backend; a backend that is asked for and missing fails here."""
    with tempfile.TemporaryDirectory(prefix=f"{check}-{backend}-") as folder:
        done = run_on(backend, str(CHECKS / check), folder, *map(str, arguments))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def run_on(backend, *arguments):
    """Python with these arguments and Keras on one backend, in a process of its own."""
    quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)


def wrong(facts, *words):
    """The facts about something that do not hold, with what was found instead; there must be such facts."""
    found = {fact: holds for fact, holds in facts.items() if all(word in fact for word in words)}
    assert found
    return {fact: holds for fact, holds in found.items() if holds is not True}

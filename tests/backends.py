"""How a check that needs a backend is started: in a process of its own, that prints the facts it found as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BACKENDS = os.environ.get("WEIGHTKIT_TEST_BACKENDS", "tensorflow").split(",")


def facts_of(check, backend, folder, *arguments):
    """The facts that a check found on one backend; a backend that is asked for and missing fails here."""
    quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(Path(__file__).parent / "end_to_end" / check), str(folder), *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong(facts, *words):
    """The facts about something that do not hold, with what was found instead; there must be such facts."""
    found = {fact: holds for fact, holds in facts.items() if all(word in fact for word in words)}
    assert found
    return {fact: holds for fact, holds in found.items() if holds is not True}

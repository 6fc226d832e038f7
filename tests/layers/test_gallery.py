"""The gallery keeps its promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import full

from weightkit.testing.layer import backends

GALLERY = Path(__file__).parent.parent.parent / "scripts" / "gallery" / "gallery.py"


def test_the_gallery_keeps_every_promise():
    """Once, with ``--full`` on TensorFlow: it takes a minute, and the facts that it shows are tested one by one."""
    if full.enabled and backends.backend() == "tensorflow":
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        done = subprocess.run([sys.executable, GALLERY], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        assert "FAIL" not in done.stdout
        assert len(re.findall(r"^ *ok ", done.stdout, re.MULTILINE)) >= 14

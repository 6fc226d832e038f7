"""The gallery keeps its promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from weightkit.testing.layer import backends

GALLERY = Path(__file__).parent.parent.parent / "scripts" / "gallery" / "gallery.py"


def test_the_gallery_keeps_every_promise():
    """Once, in the run on TensorFlow: what it shows does not hang on the backend, and takes a minute."""
    if backends.backend() == "tensorflow":
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        done = subprocess.run([sys.executable, GALLERY], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        assert "FAIL" not in done.stdout
        assert len(re.findall(r"^ *ok ", done.stdout, re.MULTILINE)) >= 14

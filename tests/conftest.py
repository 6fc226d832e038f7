"""What tests of several folders are given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> str:
    """A Python that has weightkit and its dependencies, but neither Keras nor a backend."""
    given = os.environ.get("WEIGHTKIT_BARE_PYTHON")
    if given:
        return given
    folder = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)]
    subprocess.run(install, check=True)
    return python


# Where the suite runs in the background of a script, SIGINT is ignored, and below nohup SIGHUP; and so they would be in
# all that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

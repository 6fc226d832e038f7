"""Type checkers accept every Python example of the README as a user types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ANY_KERAS = "from typing import Any\n\ndef __getattr__(name: str) -> Any: ...\n"
"""Keras 3.15 has few type hints: from a default of "auto", pyright concludes that `verbose=0` is an error."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder with a file for each example, and with `typings`, where pyright looks by itself."""
    folder = tmp_path_factory.mktemp("examples")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)):
        (folder / f"example_{number}.py").write_text(block, encoding="utf-8")
    (folder / "typings" / "keras").mkdir(parents=True)
    (folder / "typings" / "keras" / "__init__.pyi").write_text(ANY_KERAS, encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "basic", "exclude": ["typings"]}))
    return folder


def complaints(folder, *command):
    environment = os.environ | {"MYPYPATH": str(folder / "typings")}
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_mypy_accepts_every_example_of_the_readme(examples):  # 10 seconds: it reads NumPy's types
    files = sorted(path.name for path in examples.glob("*.py"))
    assert files
    assert complaints(examples, "mypy", "--config-file=", f"--cache-dir={examples / 'cache'}", *files) == ""


def test_pyright_accepts_every_example_of_the_readme(examples):  # 7 seconds: Node starts, and reads NumPy's types
    assert complaints(examples, "basedpyright", "--pythonpath", sys.executable) == ""

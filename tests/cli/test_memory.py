"""Where memory is short or something is not installed, the exit code is still one of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from support import DATA

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop()) << 10,) * 2)
from weightkit.cli import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds address space")
@pytest.mark.parametrize("kib", [60_000, 90_000, 105_000, 1_000_000])
def test_with_little_memory_the_exit_code_is_ours_whatever_openblas_does(tmp_path, kib):
    """OpenBLAS ends its process with 1 or SIGINT where it cannot have memory or threads while NumPy is loaded."""
    shutil.copyfile(DATA / "keras23_nested.h5", tmp_path / "m.h5")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "64"}
    command = [sys.executable, "-c", LIMITED, "show", "m.h5", str(kib)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if kib == 1_000_000 else 4), done.stderr
    assert done.returncode == 0 or re.fullmatch("weightkit: .* — .*\n", done.stderr)


def test_what_cannot_be_loaded_gives_4_and_a_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('no memory for typer')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    for command in (["-m", "weightkit"], ["-c", "from weightkit.cli import main; main()"]):
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("weightkit: it cannot be loaded: ImportError: no memory for typer \u2014 ")
        assert done.stderr.count("\n") == 1

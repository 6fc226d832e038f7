"""Take each safety check out in turn, and see which test notices: ``python -m tests.mutants``.

A check that can be taken out unnoticed may be lost in any later change. Each is taken out of a copy of the project in
a folder of its own. ``--only TEXT`` runs those whose description holds a text; the exit status is 1 if one survives.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import ROOT
from tests.mutants.checks import MUTANTS, Mutant

_PATIENCE = 300  # seconds
_TESTS_FAILED = 1
_NO_TESTS = 5  # what pytest exits with where it ran none: nothing noticed


def main() -> int:
    """Run them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="those whose description holds this")
    only = parser.parse_args().only
    chosen = [mutant for mutant in MUTANTS if only in mutant.check]
    survived = 0
    for mutant in chosen:
        test = noticed_by(mutant)
        survived += test is None
        print(f"{'SURVIVED' if test is None else 'noticed '}  {mutant.check}: {test or mutant.tests}", flush=True)
    print(f"{len(chosen)} checks taken out, {survived} unnoticed")
    return int(survived > 0)


def noticed_by(mutant: Mutant) -> str | None:
    """The first test that fails without the check; None where all pass."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        copy = Path(name)
        copy.chmod(0o755)  # some tests run as nobody
        for part in ("weightkit", "tests", "scripts"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / part, copy / part)
        (copy / mutant.file).write_text(mutant.source.replace(mutant.old, mutant.new), encoding="utf-8")
        options = ["-x", "-q", "-p", "no:cacheprovider", *mutant.options.split()]
        command = [sys.executable, "-m", "pytest", *options, *mutant.tests.split()]
        return _failure(command, copy)


def _failure(command: list[str], folder: Path) -> str | None:
    environment = os.environ | {"PYTHONPATH": str(folder)}  # what tests start is to be mutated too
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"a run that has not ended after {_PATIENCE} seconds"
    if process.returncode in {0, _NO_TESTS}:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+?::\w+)", output, re.MULTILINE)
    if process.returncode != _TESTS_FAILED or not found:
        sys.exit(f"pytest could not run ({process.returncode}), so nothing is known: {output[-2000:]}")
    return found[1]


if __name__ == "__main__":
    sys.exit(main())

"""Kill a process just before the N-th call that changes files, N counting up until it comes through unharmed."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HARNESS = """
import json, os, signal, sys

def counted(name, at):
    whole = getattr(os, name)
    def call(*arguments, **options):
        at[0] -= 1
        if at[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **options)
    setattr(os, name, call)

{code}
for folder in sys.stdin:
    number, folder = json.loads(folder)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        at = [number]
        for name in ("link", "replace", "rename", "unlink", "fsync", "ftruncate", "fchmod", "utime", "pwrite"):
            counted(name, at)
        act()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def killed_at_every_step(tmp_path: Path, make: Callable[[Path], object], code: str) -> Iterator[Path]:
    """Folders made by ``make`` in which ``act()``, defined by ``code``, was killed: one for each step.

    In the last one it came through unharmed. Each is handed over as the kill left it; the code runs inside it.
    """
    command = [sys.executable, "-c", _HARNESS.format(code=code)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for number in itertools.count(1):
            folder = tmp_path / f"killed{number}"
            folder.mkdir()
            make(folder)
            process.stdin.write(json.dumps([number, str(folder)]) + "\n")
            process.stdin.flush()
            ended = int(process.stdout.readline())
            assert ended in {0, -9}
            yield folder
            if ended == 0:
                assert number > 2
                break
        process.stdin.close()

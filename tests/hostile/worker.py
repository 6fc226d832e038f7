"""A process without privileges that opens hostile files: one forked child a job, under limits of its own.

It is told one job a line, as JSON, and answers with one line. Jobs that are ``shared`` run in the process itself and
share one reading process, which takes a tenth of the time. ``start`` finds a way to run it as nobody.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOBODY = 65534
MEMORY = 8 << 30  # bytes of address space; peaks of what is really used are measured apart
FILE_SIZE = 1 << 30  # bytes: no bug may fill the disk
_PROBE = "import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', ''], check=True); import weightkit"


class CannotDropPrivilegesError(Exception):
    """We are root, and no way was found to run as somebody who is not: hostile files are then not opened."""


class Worker:
    """Our end of one such process."""

    def __init__(self) -> None:
        self._process = _started()

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Have one job done."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        watch = threading.Timer(2 * job["seconds"], self._process.kill)
        watch.start()
        line = self._process.stdout.readline()
        watch.cancel()
        if not line:
            self._process.wait()
            self._process = _started()
            return {"died": "so did the process that starts others"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _started() -> subprocess.Popen[str]:
    command = [*prefix(), sys.executable, "-B", "-m", "tests.hostile.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


_found: list[list[str]] = []


def prefix() -> list[str]:
    """What to put before a command so that it runs without privileges; nothing where we have none.

    Raises:
        CannotDropPrivilegesError: We are root and nothing helps.
    """
    if not _found:
        _found.append(_prefix())
    return _found[0]


def _prefix() -> list[str]:
    if os.geteuid() != 0:
        return []
    bare = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    # Where Python itself lies in a folder of root's, it must at least be readable; nothing more can be written.
    reading = [*bare, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    for candidate in ([*bare, "--inh-caps=-all", "--ambient-caps=-all"], reading):
        with contextlib.suppress(OSError):
            done = subprocess.run([*candidate, sys.executable, "-c", _PROBE], check=False, capture_output=True)
            if done.returncode == 0:
                return candidate
    raise CannotDropPrivilegesError("setpriv (util-linux) is needed to open hostile files as nobody")


def throw_away(path: Path) -> None:
    """Make a folder that the worker may write in."""
    path.mkdir()
    path.chmod(0o777)


def main() -> None:
    """Serve jobs from standard input until it is closed."""
    from tests.hostile.tasks import TASKS  # noqa: PLC0415  # all that the children need is loaded once, here

    gc.collect()
    gc.freeze()  # memory is swept before each command is measured: what is here to stay need not be looked at
    for line in sys.stdin:
        job = json.loads(line)
        task = TASKS[job["task"]]
        sys.stdout.write(json.dumps(task(job) if job.get("shared") else _forked(task, job)) + "\n")
        sys.stdout.flush()


def _forked(task: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a forked child; say how the child ended where it gave no answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(task, job, writing)
    os.close(writing)
    content, late = _read(reading, time.monotonic() + job["seconds"])
    os.close(reading)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # and the processes that it started
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ValueError):
        return dict(json.loads(content))
    return {"died": "it took too long" if late else f"wait status {status}"}


def _child(task: Any, job: dict[str, Any], writing: int) -> None:
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1):
            os.dup2(null, standard)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
        answer = json.dumps(task(job)).encode()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it must not run on as the parent
        os.write(2, f"hostile worker: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def _read(pipe: int, end: float) -> tuple[bytes, bool]:
    """What comes through a pipe until it is closed or the time is over, and whether it was."""
    content = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return content, True
        part = os.read(pipe, 1 << 20)
        if not part:
            return content, False
        content += part


def remove(paths: Sequence[Path]) -> None:
    """Remove folders that the worker wrote in."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()

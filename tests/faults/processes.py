"""Processes: the reading one, forked instead of started afresh, and waiting for those that are ours."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from weightkit.access.hdf5.child import main

_PAUSE = 0.002  # seconds between two looks at a process


class ForkedReader:
    """The reading process, forked from the editor instead of started afresh: h5py is loaded already."""

    def __init__(self, command: list[str], *, stdin: int, **_: Any) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _read(command[-2], stdin)

    def kill(self) -> None:
        """End it, if it has not."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; raises where it takes longer than ``timeout`` seconds."""
        if self.returncode is None:
            if timeout is not None and not _ends_within(self.pid, timeout):
                raise subprocess.TimeoutExpired("reader", timeout)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _read(limits: str, channel: int) -> NoReturn:
    """In the fork: become the reading process."""
    try:
        gc.freeze()  # no socket of the editor is to be closed here by its number
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(channel, 0)
        connect(1, os.devnull, os.O_WRONLY)
        connect(2, os.devnull, os.O_WRONLY)
        os.closerange(3, 1 << 10)
        sys.argv = ["-c", limits]
        main.prepare()()
    finally:
        os._exit(0)


def connect(fd: int, path: str, flags: int) -> None:
    """Open a path as a descriptor of a given number."""
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, fd)
    os.close(opened)


def ended(pid: int, patience: float) -> int:
    """The exit status of a process, which is killed if it takes longer than ``patience`` seconds."""
    if not _ends_within(pid, patience):
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _ends_within(pid: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def all_ended(patience: float) -> bool:
    """Wait for orphaned reading processes; whether none had to be killed."""
    deadline, by_themselves = time.monotonic() + patience, True
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return by_themselves
        if pid == 0:
            if time.monotonic() > deadline:
                by_themselves = False
                _kill_children()
            time.sleep(_PAUSE)


def _kill_children() -> None:
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split():
        os.kill(int(pid), signal.SIGKILL)

"""What can befall an edit: kinds of faults, and the memory in which one is set and counted."""

from __future__ import annotations

import ctypes
import errno
import signal
from dataclasses import dataclass
from enum import IntEnum

CALLS = (
    "write", "pwrite64", "writev", "copy_file_range", "sendfile", "ftruncate", "fallocate", "openat", "rename", "link",
    "unlink", "fsync", "fdatasync", "fchmod", "fchown", "fsetxattr", "utimensat",
)  # fmt: skip
"""System calls that change files, by number."""

TRANSFERS = 5
"""The first of them move bytes, and can move fewer than they were asked to."""

ANOTHER_NAME, NARROWED = "another name", 0o600
"""What somebody else gives the file that is edited."""

LOG = 4096
"""Calls of one run that are remembered."""


class Action(IntEnum):
    """What happens at the call."""

    NOTHING = 0
    SIGNAL_EDITOR = 1
    SIGNAL_READER = 2
    FAIL = 3
    SHORT = 4
    FAIL_ONWARDS = 5
    TOUCH = 6
    NARROW = 7
    LINK = 8


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: what happens, and the number of the signal or the error."""

    name: str
    action: Action = Action.NOTHING
    number: int = 0

    @property
    def kills(self) -> bool:
        """Whether nothing can be tidied up afterwards: the process is gone, or the disk."""
        return self.name in {"SIGKILL", "EROFS+"}

    @property
    def meddles(self) -> bool:
        """Whether somebody else does something to the file that is edited."""
        return self.action in {Action.TOUCH, Action.NARROW, Action.LINK}


UNHARMED = Fault("unharmed")
FAULTS = {
    fault.name: fault
    for fault in (
        *(Fault(f"SIG{n}", Action.SIGNAL_EDITOR, getattr(signal, f"SIG{n}")) for n in ("KILL", "TERM", "INT")),
        Fault("reader", Action.SIGNAL_READER, signal.SIGKILL),  # the reading process is killed, not the one that edits
        *(Fault(name, Action.FAIL, getattr(errno, name)) for name in ("EIO", "ENOSPC", "EDQUOT")),
        Fault("short", Action.SHORT),
        Fault("EROFS+", Action.FAIL_ONWARDS, errno.EROFS),  # from this call on, as when a disk is mounted read-only
        Fault("touched", Action.TOUCH),  # somebody writes to the file and puts its time back
        Fault("narrowed", Action.NARROW),  # somebody takes the others' right to read it
        Fault("linked", Action.LINK),  # somebody makes another name for it
    )
}


class State(ctypes.Structure):
    """What is set and what is counted, in memory shared by forked processes; preload.c has the same layout."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in
          ("armed", "action", "number", "at", "poor", "plenty", "editor", "count", "fired")),
        ("calls", ctypes.c_int8 * LOG),
        ("source", ctypes.c_char * 32),
    )  # fmt: skip

    armed: int
    action: int
    number: int
    at: int
    poor: int
    plenty: int
    editor: int
    count: int
    fired: int

    source: bytes

    def set(self, fault: Fault, at: int, *, poor: bool, source: str) -> None:
        """Prepare for a run in which ``fault`` strikes at call number ``at``; ``source`` is edited."""
        ctypes.memset(ctypes.addressof(self), 0, ctypes.sizeof(self))
        self.action, self.number, self.at = fault.action, fault.number, at
        self.poor, self.source = poor, source.encode()

    def arm(self, editor: int) -> None:
        """Count from now on; ``editor`` is the process that edits, all others are its reading process."""
        self.editor = editor
        self.armed = 1

    def call(self, number: int) -> tuple[str, bool]:
        """Which call had that number, and whether the reading process made it."""
        code = self.calls[number] if number < LOG else 0
        return (CALLS[abs(code) - 1] if code else "?"), code < 0


def loaded_state(library: str) -> State:
    """The state of the preloaded library, in a process that it was preloaded into."""
    function = ctypes.CDLL(library).faults_state
    function.restype = ctypes.POINTER(State)
    state: State = function().contents
    return state

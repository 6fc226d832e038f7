"""Faults without any tool: the functions of ``os`` that change files, wrapped in the process that edits.

The process really ends where a signal is asked for; a call really fails, or writes less than it was given.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from ctypes import sizeof
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.kinds import ANOTHER_NAME, CALLS, LOG, NARROWED, TRANSFERS, Action, State

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTHS: dict[str, Callable[..., int]] = {
    "write": lambda _, content: len(content),
    "pwrite": lambda _, content, __: len(content),
    "copy_file_range": lambda _, __, count, *___: count,
}
_SHORTER: dict[str, Callable[..., tuple[Any, ...]]] = {
    "write": lambda fd, content: (fd, content[: len(content) // 2]),
    "pwrite": lambda fd, content, at: (fd, content[: len(content) // 2], at),
    "copy_file_range": lambda source, fd, count, *rest: (source, fd, count // 2, *rest),
}
_SYSTEM_CALLS = {
    "write": "write", "pwrite": "pwrite64", "copy_file_range": "copy_file_range", "ftruncate": "ftruncate",
    "posix_fallocate": "fallocate", "open": "openat", "rename": "rename", "replace": "rename", "link": "link",
    "unlink": "unlink", "remove": "unlink", "fsync": "fsync", "fdatasync": "fdatasync", "fchmod": "fchmod",
    "fchown": "fchown", "setxattr": "fsetxattr", "utime": "utimensat",
}  # fmt: skip
_POOR = {"link": errno.EPERM, "copy_file_range": errno.EOPNOTSUPP}
_MAKES = os.O_CREAT | getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)


def wrap() -> State:
    """Wrap the functions; returns the state that steers them, shared with every process forked from this one."""
    state = State.from_buffer(mmap.mmap(-1, sizeof(State)))
    for name in _SYSTEM_CALLS:
        if hasattr(os, name):
            setattr(os, name, _wrapped(name, getattr(os, name), state))
    return state


def _wrapped(name: str, real: Callable[..., Any], state: State) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if not state.armed or not _counts(name, arguments):
            return real(*arguments, **options)
        if state.poor and name in _POOR:
            raise OSError(_POOR[name], os.strerror(_POOR[name]))
        length = _LENGTHS[name](*arguments) if name in _LENGTHS else 0
        if _strikes(state, CALLS.index(_SYSTEM_CALLS[name]), length):
            return real(*_SHORTER[name](*arguments), **options)
        return real(*arguments, **options)

    return call


def _meddle(state: State) -> None:
    """Do to the file that is edited what somebody else might."""
    source = state.source.decode()
    match state.action:
        case Action.NARROW:
            Path(source).chmod(NARROWED)
        case Action.LINK:
            os.link(source, ANOTHER_NAME)
        case _:
            before, fd = Path(source).stat(), os.open(source, os.O_RDWR)
            os.pwrite(fd, os.pread(fd, 1, 0), 0)
            os.close(fd)
            os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def _counts(name: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a call changes a file: a descriptor of a regular file or a folder, a path, an opening that makes one."""
    if name == "open":
        return bool(arguments[1] & _MAKES)
    fd = arguments[1] if name == "copy_file_range" else arguments[0]
    if not isinstance(fd, int):
        return True
    mode = os.fstat(fd).st_mode
    return fd > 2 and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _strikes(state: State, number: int, length: int) -> bool:
    """Count a call and do what is set for it; true where it is to fall short."""
    state.count += 1  # the two processes take turns: no call is lost
    reader = os.getpid() != state.editor
    if state.count < LOG:
        state.calls[state.count] = -(number + 1) if reader else number + 1
    if state.count < state.at or (state.count > state.at and state.action != Action.FAIL_ONWARDS):
        return False
    match state.action:
        case Action.SIGNAL_EDITOR:
            state.fired = 1
            os.kill(state.editor, state.number)
        case Action.SIGNAL_READER if reader:
            state.fired = 1
            os.kill(os.getpid(), state.number)
        case Action.FAIL | Action.FAIL_ONWARDS:
            state.fired = 1
            raise OSError(state.number, os.strerror(state.number))
        case Action.SHORT if length > 1 and number < TRANSFERS:
            state.fired = 1
            return True
        case Action.TOUCH | Action.NARROW | Action.LINK:
            state.fired, state.armed = 1, 0  # what somebody else does is not counted
            _meddle(state)
            state.armed = 1
    return False

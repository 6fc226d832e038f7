"""The hidden files of an edit: names say which file they belong to, locks say whether an edit still needs them.

While a new file is written, it is next to its target as ``.NAME.PID-HEX.weightkit-tmp``, locked. While it replaces
the target, the old file keeps a second link ``.NAME.PID-HEX.weightkit-old``; its lock is the one on the source.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.files.replace import signals_held
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

NEW, OLD = ".weightkit-tmp", ".weightkit-old"
NO_LOCKS = frozenset({errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EBADF})
"""Errors of taking a lock on a file system without locks, or on one that wants the file open for writing (NFS)."""

_LONGEST = 196  # bytes of a target's name; with what is added here, it stays within 255
_PREFIX = 180  # bytes that are kept of a longer one


def hidden_name(target: Path, suffix: str) -> Path:
    """A new hidden name next to the target, made from its name."""
    # Random too: a process may run several edits, and its number may come again.
    return target.with_name(f"{_stem(target)}{os.getpid()}-{os.urandom(4).hex()}{suffix}")


def hidden_names(target: Path) -> re.Pattern[str]:
    """A pattern of the hidden names of this target; the first group is the suffix."""
    return re.compile(rf"{re.escape(_stem(target))}[0-9]{{1,10}}-[0-9a-f]{{8}}({re.escape(NEW)}|{re.escape(OLD)})")


def _stem(target: Path) -> str:
    name = os.fsencode(target.name)
    if len(name) <= _LONGEST:
        return f".{target.name}."
    digest = hashlib.blake2b(name, digest_size=8).hexdigest()  # two long names may start alike
    return f".{os.fsdecode(name[:_PREFIX])}~{digest}."


def lock_alone(fd: int) -> bool | None:
    """Try to lock an open file; whether this process alone holds it, or None where there are no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


@dataclass(slots=True)
class Temporary:
    """A new file next to its target, open for writing and locked; removed at the end unless it is given a name."""

    path: Path
    fd: int

    @classmethod
    def beside(cls, target: Path, mode: int) -> Self:
        """Create one.

        Raises:
            MachineError: Nothing can be written in the target's folder.
        """
        while True:
            temporary = cls(hidden_name(target, NEW), -1)
            path = temporary.path
            try:
                with signals_held():  # a signal between creation and the next line would leave the file behind
                    temporary.fd = _create(path, mode)
                # Between creation and lock, another edit may have taken it for a leftover.
                if lock_alone(temporary.fd) is not False and leads_to(path, temporary.fd):
                    return temporary
            except BaseException:
                temporary.discard()
                raise
            temporary.discard()

    def discard(self) -> None:
        """Remove it, if it still has its hidden name; safe to call twice."""
        if self.fd < 0:
            return
        with contextlib.suppress(OSError):  # already gone, or the next edit clears it
            self.path.unlink()
        os.close(self.fd)
        self.fd = -1


def leads_to(path: Path, fd: int) -> bool:
    """Whether a path is the open file itself, not a symbolic link to it."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _create(path: Path, mode: int) -> int:
    try:
        # O_EXCL and O_NOFOLLOW: never opens what somebody else put under this name.
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise MachineError(
            f"nothing can be written in {path.parent}: {error.strerror}", hint="write elsewhere with -o OUT"
        ) from error

"""What a new file keeps of the one whose place it takes: owner, group, mode and extended attributes.

It never gets more rights than that one had. Rights that belong to the old content, such as set-user-ID and file
capabilities, are never carried over: whoever edits a file would otherwise give them to content of their own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_RIGHTS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO
_MAY_NOT = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})
"""Errors of giving a file away: no right to, an unknown user in this namespace, a file system without owners."""
_ACL = "system.posix_acl_access"
_OF_THE_CONTENT = ("security.capability", "security.ima", "security.evm", "trusted.")
"""Extended attributes that vouch for, or give rights to, the content."""


def copy_status(origin: int | Path, fd: int) -> tuple[str, ...]:
    """Give a new file the owner, group, mode and extended attributes of another, as far as that is possible and safe.

    Args:
        origin: The other file, by its descriptor or path.
        fd: The new file; nobody else can read it yet.

    Returns:
        What could not be kept, a sentence each.
    """
    status = os.stat(origin)  # noqa: PTH116  # it takes descriptors too
    _give_away(fd, status)
    now = os.fstat(fd)
    mode, wanted = stat.S_IMODE(status.st_mode), status.st_mode & _RIGHTS
    if now.st_gid != status.st_gid:
        # The group's rights were meant for another group: this one gets what everybody has.
        wanted &= ~stat.S_IRWXG | (wanted & stat.S_IRWXO) << 3
    os.fchmod(fd, wanted)  # after the owner, while nobody else can open it
    lost = _copy_extended_attributes(origin, fd, acl=now.st_gid == status.st_gid)
    return (
        *_changed("owner", "user", status.st_uid, now.st_uid),
        *_changed("group", "group", status.st_gid, now.st_gid),
        *([f"its mode was {mode:04o} and is {wanted:04o} now"] if mode != wanted else []),
        *([f"its extended attributes {', '.join(lost)} could not be kept"] if lost else []),
    )


def clear_special_bits(fd: int) -> tuple[str, ...]:
    """Take set-user-ID, set-group-ID and the sticky bit from an old file that became a backup; returns notes."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & ~_RIGHTS == 0:
        return ()
    try:
        os.fchmod(fd, mode & _RIGHTS)
    except OSError:
        return (f"the backup is somebody else's and keeps its mode {mode:04o}",)
    return (f"the backup's mode was {mode:04o} and is {mode & _RIGHTS:04o} now",)


def _give_away(fd: int, status: os.stat_result) -> None:
    try:
        os.fchown(fd, status.st_uid, status.st_gid)
    except OSError as error:
        if error.errno not in _MAY_NOT:
            raise
        with contextlib.suppress(OSError):
            # Only root may give files away, but an owner may set a group of its own.
            os.fchown(fd, -1, status.st_gid)


def _changed(what: str, whose: str, was: int, now: int) -> list[str]:
    return [f"its {what} was {whose} {was} and is {whose} {now} now"] if was != now else []


def _copy_extended_attributes(origin: int | Path, fd: int, *, acl: bool) -> list[str]:
    """Copy all but those of the content; returns the names of those that users set and that could not be kept."""
    if not hasattr(os, "listxattr"):
        return []
    lost = []
    with contextlib.suppress(OSError):  # a file system without extended attributes
        for name in os.listxattr(origin):
            if name.startswith(_OF_THE_CONTENT):
                continue
            try:
                if name == _ACL and not acl:  # its entry of the group would be another group's now
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                os.setxattr(fd, name, os.getxattr(origin, name))
            except OSError:
                if name.startswith("user.") or name == _ACL:  # the system labels files itself
                    lost.append(name)
    return lost

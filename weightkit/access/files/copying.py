"""Bytes from one open file to the same place in another."""

from __future__ import annotations

import errno
import os

from weightkit.errors import MachineError

_STEP = 1 << 30  # bytes that one call may copy
_BUFFER = 1 << 20  # bytes, where the kernel cannot copy by itself
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ENOTSUP}


def copy_range(source: int, target: int, start: int, stop: int, *, shift: int = 0) -> None:
    """Copy the bytes from ``start`` to ``stop``, by the kernel where it can; they land ``shift`` bytes further on.

    Raises:
        MachineError: The source ends before ``stop``.
    """
    while start < stop:
        try:
            count = os.copy_file_range(source, target, min(stop - start, _STEP), start, start + shift)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_KERNEL_COPY:
                raise
            content = os.pread(source, min(stop - start, _BUFFER), start)
            write_all(target, memoryview(content), start + shift)
            count = len(content)
        if count == 0:
            raise MachineError(f"the file ended at byte {start} while it was being copied")
        start += count


def write_all(fd: int, content: memoryview, offset: int) -> None:
    """Write all of ``content`` at ``offset``; one call may write less than it was given."""
    done = 0
    while done < len(content):
        done += os.pwrite(fd, content[done:], offset + done)

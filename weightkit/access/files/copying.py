"""Copy bytes from one open file to the same place in another."""

from __future__ import annotations

import contextlib
import errno
import os

from weightkit.errors import MachineError

STEP = 32 << 20
"""Bytes that are copied or written before the disk is asked to start writing them out."""
_WORTH_ASKING = 1 << 20  # bytes copied by one call
_BUFFER = 1 << 20  # bytes, where the kernel cannot do the copy
# What systems answer when they cannot copy between these two files, such as across disks.
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ENOTSUP}


def copy_range(source: int, target: int, start: int, stop: int, *, shift: int = 0) -> None:
    """Copy the bytes from ``start`` to ``stop``, in the kernel where possible; they land ``shift`` bytes further on.

    Raises:
        MachineError: The source ends before ``stop``.
    """
    while start < stop:
        try:
            count = os.copy_file_range(source, target, min(stop - start, STEP), start, start + shift)
        # AttributeError: Python has this call on some systems only, and not on macOS.
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_KERNEL_COPY:
                raise
            content = os.pread(source, min(stop - start, _BUFFER), start)
            write_all(target, memoryview(content), start + shift)
            count = len(content)
        if count == 0:
            raise MachineError(f"the file ended at byte {start} while it was being copied")
        if count >= _WORTH_ASKING:
            begin_writing(target, start + shift, start + shift + count)
        start += count


def begin_writing(fd: int, start: int, stop: int) -> None:
    """Ask the disk to start writing this range out, so that the final sync is short. Only a hint.

    Linux starts to write out a range marked as no longer needed, and drops from memory what has reached the disk.
    """
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, start, stop - start, os.POSIX_FADV_DONTNEED)


def write_all(fd: int, content: memoryview, offset: int) -> None:
    """Write all of ``content`` at ``offset``; one call to the system may write less than all of it."""
    done = 0
    while done < len(content):
        done += os.pwrite(fd, content[done:], offset + done)

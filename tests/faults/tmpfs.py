"""A disk of a few pages, which is gone when its process is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE = 4096  # bytes
_PLENTY = 1 << 14  # pages
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS: what is mounted from now on, only this process sees


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """Mount a disk at a folder; yields what sets its size in pages. Root alone may."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")
    _mount("--make-rprivate", "/")
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={_PLENTY * PAGE}", "tmpfs", str(folder))
    try:
        yield lambda pages: _resize(folder, pages)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _resize(folder: Path, pages: int) -> None:
    for name in ("files", "spool"):
        for path in (folder / name).iterdir():
            path.unlink()
    _mount("-o", f"remount,size={pages * PAGE}", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)

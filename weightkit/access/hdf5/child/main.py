"""The reading process: opens HDF5 with h5py, read-only and under limits, and reports what is in it.

libhdf5 can crash, hang or exhaust memory on a damaged or hostile file. That happens here, in a process that holds no
lock, may write to no file except the new one while it builds it, and whose replies the parent checks with its own
arithmetic.

It gets descriptors, never paths: each request is JSON with descriptors attached, each reply a stream of JSON lines.
The last line is ``{"end": count}`` or ``{"refuse": ...}``.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

_LENGTH = 8  # bytes, before each request
_USUAL = 1 << 30  # bytes of address space of Python with NumPy and h5py: several hundred million
_OFTEN = 1.0  # seconds; by default, the parent takes a minute of silence for a hang


def prepare() -> Callable[[], None]:
    """Load h5py and take on the limits; what is returned serves requests on standard input until that closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    limits = json.loads(sys.argv[1])
    from weightkit.access.hdf5.child import serve  # noqa: F401, PLC0415  # h5py is loaded here, before the limits

    if limits["main_thread"]:  # the kernel watches the thread that started this process, not its process
        _end_with_parent()
    _confine(limits)
    return lambda: converse(socket.socket(fileno=0), limits, _allow_writing)


def converse(channel: socket.socket, limits: Json, allow_writing: Callable[[int], None]) -> None:
    """Answer each request on ``channel`` until it closes; while one is answered, files may grow to what it asks for."""
    from weightkit.access.hdf5.child import serve  # noqa: PLC0415

    with channel, channel.makefile("wb", buffering=1 << 16) as replies:
        _send(replies, [{"ready": serve.versions()}], serve.line)
        for request, descriptors in _requests(channel):
            allow_writing(request.get("writes", 0))
            try:
                _send(replies, serve.answer(request, descriptors, limits), serve.line)
            finally:
                allow_writing(0)
                for descriptor in descriptors:
                    os.close(descriptor)


def _end_with_parent() -> None:
    """Have the kernel end this process when the parent is killed: else it keeps the parent's locks.

    Only Linux can; elsewhere this process ends with the request or the channel.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  # NumPy has loaded it

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG


def _confine(limits: Json) -> None:
    """Limit memory, processor time and writing; the address space in use so far does not count."""
    # A crash on a damaged file is expected, and leaves no core file behind.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _allow_writing(0)
    # A write past the limit then fails with an error, and does not kill this process.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _lower(resource.RLIMIT_CPU, limits["processor"])
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, _in_use() + limits["memory"])


def _in_use() -> int:
    """Bytes of address space that this process uses."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  # pathlib is not loaded here
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:  # there is no /proc
        return _USUAL


def _lower(what: int, bound: int) -> None:
    hard = resource.getrlimit(what)[1]
    bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (bound, bound))


def _allow_writing(size: int) -> None:
    """Let this process write no file past ``size`` bytes; with 0, it can write nothing."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    bound = size if hard == resource.RLIM_INFINITY else min(size, hard)
    # The hard limit stays: a process cannot raise it again for the next request.
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))


def _requests(channel: socket.socket) -> Iterator[tuple[Json, list[int]]]:
    """Each request: the descriptors with the length of the text, then the text."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _LENGTH, 3)
        if len(message) < _LENGTH:
            return
        wanted = int.from_bytes(message, "big")
        text = bytearray()
        while len(text) < wanted:
            part = channel.recv(min(wanted - len(text), 1 << 20))
            if not part:
                return
            text += part
        yield json.loads(text), descriptors


def _send(replies: Any, records: Any, line: Callable[[Json], bytes]) -> None:
    """Write the records, flushed at least every second: silence counts as a hang."""
    sent = time.monotonic()
    for record in records:
        replies.write(line(record))
        if time.monotonic() - sent > _OFTEN:
            replies.flush()
            sent = time.monotonic()
    replies.flush()

"""The reading process: opens HDF5 with h5py, read-only and under limits, and says what is in it.

libhdf5 can crash, hang or exhaust memory on a damaged or hostile file. Whatever it does, it does here, in a
process that holds no lock, can write to no file and whose words the parent checks with its own arithmetic.

It is told nothing but descriptors: each request is one line of JSON with a descriptor attached, each reply a
stream of JSON lines: objects in depth-first order, then ``{"end": count}`` or ``{"refuse": ...}``.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


def main() -> None:
    """Serve requests on the socket given as standard input until the parent closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    limits = json.loads(sys.argv[1])
    from weightkit.access.files import scan  # noqa: PLC0415  # h5py is loaded here, behind the limits

    _confine(limits)
    channel = socket.socket(fileno=0)
    with channel, channel.makefile("wb", buffering=1 << 16) as replies:
        _send(replies, [{"ready": scan.versions()}])
        for request, descriptor in _requests(channel):
            try:
                _send(replies, scan.scan(descriptor, request["start"], request["length"], limits))
            finally:
                os.close(descriptor)


def _confine(limits: Json) -> None:
    """Bound memory, processor time and writing; the address space in use so far does not count."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _lower(resource.RLIMIT_CPU, limits["processor"])
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  # pathlib is not loaded here
            in_use = int(statm.read().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, in_use + limits["memory"])


def _lower(what: int, bound: int) -> None:
    hard = resource.getrlimit(what)[1]
    bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (bound, bound))


def _requests(channel: socket.socket) -> Iterator[tuple[Json, int]]:
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 4096, 1)
        if not message:
            return
        yield json.loads(message), descriptors[0]


def _send(replies: Any, records: Any) -> None:
    for record in records:
        replies.write(json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n")
    replies.flush()

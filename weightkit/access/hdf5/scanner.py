"""The parent's side of the reading process: start it, send it requests, and survive if it dies or hangs.

Nothing here imports NumPy or h5py: the child is started first and loads h5py while the parent loads NumPy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightkit.access.hdf5.channel import Channel
from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.errors import (
    DamagedFileError,
    MachineError,
    UnsafeFileError,
    UnsupportedFileError,
    WeightkitError,
)
from weightkit.text import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

_REFUSALS: dict[str, type[WeightkitError]] = {
    "damaged": DamagedFileError,
    "unsafe": UnsafeFileError,
    "unsupported": UnsupportedFileError,
    "machine": MachineError,
}
_HINTS = {
    "damaged": "use another copy of the file",
    "unsafe": "weightkit edits plain data only: do not trust this file, or rewrite it with h5py",
    "unsupported": "rewrite it with h5py as plain numbers",
    "machine": "make room, or write elsewhere with -o OUT",
}

_NONSENSE = (ValueError, KeyError, TypeError, RecursionError)
"""Errors raised by a reply that is not valid JSON of the expected form."""

# The child finds its modules where this process finds them, and nothing is read from the user's site or startup files.
_START = """
import json, os, sys
sys.path[:] = json.loads(sys.argv.pop(2))
try:
    from weightkit.access.hdf5.child.main import prepare
    serve = prepare()
except BaseException as error:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    os.write(0, json.dumps({"failed": said}).encode() + b"\\n")
    sys.exit(1)
serve()
"""


_START_UP = 20.0  # seconds for the process to load h5py from a slow disk on a busy machine


@dataclasses.dataclass(frozen=True, slots=True)
class _Receipt:
    """What the end of an answer repeats of its request."""

    number: int
    path: str | None

    def require_on(self, record: dict[str, Any]) -> None:
        """Check that an answer is the one to this request, and of this weight."""
        if (record["number"], record.get("of")) != (self.number, self.path):
            raise ValueError(f"an answer to another request: {record}")


class Scanner:
    """The process that reads HDF5 structure. Closing this object ends the process."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.reply_digest = ""
        """Digest of the last description that was read to its end."""
        ours, theirs = socket.socketpair()
        # Their end is closed here once the process has it: else its death would not end the stream.
        with theirs, _closed_on_error(ours):
            self._process = _start(theirs, limits)
        self._channel = Channel(ours)
        self._channel.wait_for(max(limits.silence, _START_UP))
        self._ready = self._answering = False
        self._asked = 0
        self._finalizer = weakref.finalize(self, _end, os.getpid(), self._process, self._channel.replies)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; safe to call twice."""
        self._finalizer()

    def records(self, descriptor: int, start: int, length: int) -> Iterator[dict[str, Any]]:
        """Records of all objects in the HDF5 file at ``length`` bytes from ``start`` of an open file.

        Raises:
            RefusedError: The file is damaged, unsafe or unsupported, or the process died or hung on it.
            MachineError: The process could not be started.
        """
        digest = hashlib.blake2b()
        yield from self.ask({"do": "scan", "start": start, "length": length}, descriptor, on_record=digest.update)
        self.reply_digest = digest.hexdigest()

    def digest(self, descriptor: int, start: int, length: int) -> str:
        """What ``reply_digest`` is after reading all records of such a file; only the digest is sent.

        Raises:
            RefusedError: The file is damaged, unsafe or unsupported, or the process died or hung over it.
        """
        request = {"do": "digest", "start": start, "length": length}
        *_, last = self.ask(request, descriptor)
        return str(last.get("digest", ""))

    def ask(
        self, request: dict[str, Any], *descriptors: int, on_record: Callable[[bytes], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Send one request and read its answer; ``on_record`` gets the bytes of each record.

        Raises:
            RefusedError: The file is damaged, unsafe or unsupported, or the process died or hung over it.
            MachineError: The process could not be started, or could not write.
        """
        self._require_ready()
        if self._answering:  # the rest of an unread answer would be taken for this one's
            self._process.kill()
        self._answering = True
        self._asked += 1
        text = json.dumps(request | {"number": self._asked}).encode()
        try:
            self._channel.send(len(text).to_bytes(8, "big"), text, descriptors)
            yield from self._reply(_Receipt(self._asked, request.get("path")), on_record)
        except (OSError, *_NONSENSE) as error:
            raise self._child_failure(error, writes="writes" in request) from error

    def _require_ready(self) -> None:
        if self._ready:
            return
        try:
            greeting = json.loads(self._channel.replies.readline(1 << 16))
            self._ready = "ready" in greeting
            if not self._ready:
                raise ValueError(greeting.get("failed", "another process answered"))
            self._channel.wait_for(self.limits.silence)
        except (OSError, AttributeError, *_NONSENSE) as error:
            self._process.kill()
            why = f"{_end_of(self._process)}: {error}" if isinstance(error, ValueError) else _end_of(self._process)
            raise MachineError(
                f"the HDF5 reader did not start ({why})", hint=f"check that `{sys.executable} -c 'import h5py'` works"
            ) from error

    def _reply(self, wanted: _Receipt, on_record: Callable[[bytes], None] | None) -> Iterator[dict[str, Any]]:
        budget, count = self.limits.reply, 0
        while line := self._channel.replies.readline(self.limits.attribute * 4):
            budget -= len(line)
            if budget < 0:
                raise UnsafeFileError(
                    f"its description takes more than {self.limits.reply} bytes", hint=_HINTS["unsafe"]
                )
            record = json.loads(line)
            if "end" in record:
                wanted.require_on(record)
                if record["end"] != count:
                    raise ValueError(record)
                self._answering = False
                return
            if "refuse" in record:
                wanted.require_on(record)
                refusal = _refusal(record)
                self._answering = False
                raise refusal
            count += 1
            if on_record is not None:
                on_record(line)
            yield record
        raise ValueError("the stream ended early")

    def _child_failure(self, error: Exception, *, writes: bool) -> WeightkitError:
        """The error for a process that died, hung or sent an invalid reply on this file."""
        during = "while it wrote the new file; nothing was changed" if writes else "on this file"
        if isinstance(error, TimeoutError):  # a busy machine or a slow disk can do that: it condemns no file
            self._process.kill()
            return MachineError(
                f"the HDF5 library said nothing for {self.limits.silence:g} seconds {during}",
                hint="try again, with less other work on this machine",
            )
        end = _end_of(self._process)
        if writes:
            return MachineError(f"the HDF5 library crashed ({end}) {during}", hint=_HINTS["machine"])
        return DamagedFileError(f"the HDF5 library crashed {during} ({end})", hint=_HINTS["damaged"])


def _start(channel: socket.socket, limits: Limits) -> subprocess.Popen[bytes]:
    """Start the process that answers on ``channel``."""
    more = {"main_thread": threading.current_thread() is threading.main_thread()}
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            _START,
            json.dumps(dataclasses.asdict(limits) | more),
            json.dumps(_search_path()),
        ],
        stdin=channel.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )


def _search_path() -> list[str]:
    """Where the child looks for modules: this very package first, whatever else is installed."""
    own = str(Path(__file__).parents[3])
    # Not the empty entry, the working folder: modules there may be anyone's. Anything else than text is ignored.
    return [own, *(entry for entry in sys.path if isinstance(entry, str) and entry != own and entry)]


def _refusal(record: dict[str, Any]) -> WeightkitError:
    category = record["refuse"]
    where = f"{cut(record['path'])}: " if record["path"] != "/" else ""
    return _REFUSALS[category](f"{where}{record['why']}", hint=_HINTS[category])


def _environment() -> dict[str, str]:
    """This process's environment without variables that affect libhdf5; plugins are disabled."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HDF5_")}
    return kept | {
        "HDF5_PLUGIN_PRELOAD": "::",
        "HDF5_USE_FILE_LOCKING": "FALSE",  # the parent holds the lock
        "OPENBLAS_NUM_THREADS": "1",  # each BLAS thread reserves address space, and nothing is multiplied here
        "OMP_NUM_THREADS": "1",
    }


@contextlib.contextmanager
def _closed_on_error(channel: socket.socket) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        channel.close()
        raise MachineError(
            f"the HDF5 reader did not start: {error.strerror}", hint=f"check {sys.executable}"
        ) from error


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        # It has closed its channel, so it is about to end.
        status = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    return signal.strsignal(-status) or f"signal {-status}" if status < 0 else f"exit status {status}"


def _end(parent: int, process: subprocess.Popen[bytes], *channels: Any) -> None:
    for channel in channels:
        channel.close()
    if parent == os.getpid():  # a fork of the parent has a copy of this, and the parent goes on reading
        process.kill()
        process.wait()
    else:
        process.returncode = 0  # it is not ours to wait for, and collecting it must not warn that it is running

"""A stand-in for the reading process: its answers are prepared, and the parent's own code reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
import weakref
from typing import TYPE_CHECKING, Any, TypeAlias

from weightkit.access.hdf5.limits import DEFAULT_LIMITS, Limits
from weightkit.access.hdf5.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Json: TypeAlias = "dict[str, Any]"
Request: TypeAlias = "tuple[str, str]"
"""What is asked, and about which dataset."""
_DEEPEST = 50_000  # frames


class _NoProcess:
    """Nothing runs."""

    pid = 0
    returncode = 0

    def kill(self) -> None:
        """There is nothing to kill."""

    def poll(self) -> int:
        """It has ended."""
        return 0

    def wait(self, timeout: float | None = None) -> int:
        """It has ended."""
        return 0


class _Channel:
    """Where the parent writes a request and reads the answer's lines."""

    def __init__(self, answer: Callable[[Json, Sequence[int]], bytes]) -> None:
        self._answer = answer
        self.replies: Any = io.BytesIO()

    def wait_for(self, silence: float) -> None:
        """An answer is there at once."""

    def send(self, _: bytes, text: bytes, descriptors: Sequence[int]) -> None:
        """Make the answer ready."""
        self.replies = io.BytesIO(self._answer(json.loads(text), descriptors))

    def close(self) -> None:
        """There is nothing to close."""


class PreparedScanner(Scanner):
    """Reads answers that a function makes, as the real one reads those of its process."""

    def __init__(self, answer: Callable[[Json, Sequence[int]], bytes], limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.reply_digest = ""
        self._process: Any = _NoProcess()
        self._channel: Any = _Channel(answer)
        self._ready, self._answering, self._asked = True, False, 0
        self._finalizer: Any = weakref.finalize(self, int)


def lines(records: Sequence[Any]) -> bytes:
    """Records as they are sent."""
    with deeply():
        return b"".join(json.dumps(record).encode("ascii") + b"\n" for record in records)


def end_of(records: Sequence[Any], request: Json) -> bytes:
    """The last line of an answer."""
    return lines([{"end": len(records), "number": request["number"], "of": request.get("path")}])


@contextlib.contextmanager
def deeply() -> Iterator[None]:
    """Allow the recursion that making deep JSON takes; what reads it gets Python's usual limit."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


def key_of(request: Json) -> Request:
    """What tells one request from another."""
    return request["do"], request.get("path", "")


def limits_as_sent(limits: Limits = DEFAULT_LIMITS) -> Json:
    """The limits as the reading process gets them."""
    return dataclasses.asdict(limits)

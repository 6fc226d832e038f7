"""One case: a spoiled subject is opened and used, within a bound on time and memory."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz import containers, records
from tests.fuzz.bounds import TooLongError, bounded
from tests.fuzz.reader import deeply
from tests.fuzz.use import use
from weightkit.errors import WeightkitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.bases import Subject

KINDS: dict[str, Callable[[Random], Subject]] = {
    "index": records.spoiled_index,
    "lists": records.spoiled_lists,
    "config": containers.spoiled_config,
    "archive": containers.spoiled_archive,
    "chunks": records.spoiled_chunks,
    "bytes": records.spoiled_bytes,
    "grown": records.grown,
}
LARGEST = 4 << 20  # bytes of a case: what is larger may take longer
_SHARES = {"index": 30, "lists": 25, "config": 25, "archive": 10, "chunks": 4, "bytes": 4, "grown": 2}


@dataclass(frozen=True)
class Result:
    """What became of one case."""

    kind: str
    outcome: str
    """``opened``, the class of our own error, or what went wrong."""
    fault: str = ""
    """What went wrong, in full; empty where nothing did."""


def subject(name: str) -> tuple[str, Subject, Random]:
    """The spoiled file of one case, by its name: ``7:1234`` is case 1234 of seed 7."""
    random = Random(name)
    kind = random.choices(list(_SHARES), list(_SHARES.values()))[0]
    with deeply():
        return kind, KINDS[kind](random), random


def run(name: str) -> Result:
    """Do one case; never raises."""
    kind, spoiled, random = subject(name)
    if sum(map(len, spoiled.sent.values())) + len(spoiled.content) > LARGEST:
        return Result(kind, "too large, not tried")
    try:
        with bounded():
            store = spoiled.open()
        with store:
            use(store, random)
    except WeightkitError as error:
        return Result(kind, type(error).__name__)
    except TooLongError:
        return Result(kind, "TOO LONG", _told(name, spoiled))
    except MemoryError:
        return Result(kind, "TOO MUCH MEMORY", _told(name, spoiled))
    except BaseException as error:  # noqa: BLE001  # that nothing else comes out is what is tested
        return Result(kind, type(error).__name__.upper(), _told(name, spoiled))
    return Result(kind, "opened")


def _told(name: str, spoiled: Subject) -> str:
    last = traceback.format_exc(limit=-12)
    return f"{name} ({spoiled.name}): {last[-3000:]}"

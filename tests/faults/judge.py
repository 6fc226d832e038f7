"""Whether a run left things as it must: the old or the new, whole, and no lie about which."""

from __future__ import annotations

import re
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.kinds import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.cases import Case, Files
    from tests.faults.kinds import Fault

IGNORABLE = {
    "fallocate": "space is set aside where that can be; each write says itself that there is none",
    "fsetxattr": "not every attribute is ours to set",
    "openat": "of an unnamed temporary file: Python takes a named one, or another folder",
    "write": "Python's own look at which temporary folder can be written",
    "unlink": "Python's own look at which temporary folder can be written; a second name of a file that is kept",
}
"""System calls whose failure may be gone past, and why."""

_PROBE = re.compile("[a-z0-9_]{8}")
"""A file by which Python's `tempfile` finds out whether a folder can be written: a signal between its creation and the
next step, or its removal that fails, leaves it there, with four bytes in it. It is none of ours."""

_SIGNALLED = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass(frozen=True, slots=True)
class Known:
    """What unharmed runs of a case left: the measure for all others."""

    before: Files
    after: Files
    next_from_before: Files
    next_from_after: Files


@dataclass(slots=True)
class Run:
    """What came of one command."""

    code: int
    errors: str
    """Standard error."""
    files: Files
    spooled: list[str] = field(default_factory=list)
    """What is left in the folder for temporary files."""
    outlived: bool = False
    """Whether the reading process was still there long after its editor had ended."""


def may_leave(fault: Fault, call: str) -> bool:
    """Whether something may be left for the next run to clear away: nobody was there to do it, or it failed."""
    return fault.kills or (fault.action is Action.FAIL and call == "unlink")


def judged(case: Case, fault: Fault, call: str, known: Known, run: Run) -> Iterator[str]:
    """What is wrong with a run at whose ``call`` a fault struck; nothing where all is as it must be."""
    target = run.files.get(case.target)
    if target not in {known.before.get(case.target), known.after[case.target]}:
        yield f"{case.target} is neither the old file nor the new one"
    yield from _others(case, known, run)
    if run.outlived:
        yield "the reading process outlived the editor"
    if not may_leave(fault, call):
        yield from _tidy(known, run)
    yield from _said(fault, call, known, run)


def judged_next(case: Case, known: Known, before: Files, run: Run) -> Iterator[str]:
    """What is wrong with the next run after one that could not tidy up."""
    was_new = before.get(case.target) == known.after[case.target]
    wanted = known.next_from_after if was_new else known.next_from_before
    if run.code:
        yield f"the next run ended with {run.code}: {run.errors.strip()}"
    if run.files.get(case.target) != wanted[case.target]:
        yield "the next run gave another file"
    found = _less_copy(case, known, run.files, wanted)
    if found.keys() != wanted.keys():
        yield f"after the next run there are {_listed(run.files)} instead of {_listed(wanted)}"
    elif Counter(found.values()) != Counter(wanted.values()):
        yield "after the next run a file is missing among the backups"


def _less_copy(case: Case, known: Known, found: Files, wanted: Files) -> Files:
    """Without the backup that a poor file system may hold beside the file itself: it is a copy, made before."""
    more = sorted(found.keys() - wanted.keys())
    if not (case.poor and len(more) == 1 and more[0].startswith(f"{case.source}.bak")):
        return found
    old, kept = known.before[case.target], list(found.values())
    if old not in kept:
        return found
    kept.remove(old)
    return dict(zip(sorted(wanted), kept, strict=True))


def _others(case: Case, known: Known, run: Run) -> Iterator[str]:
    """What was there before and is not the target stays; the old file stays where backups are kept."""
    kept = Counter(content for name, content in known.before.items() if name != case.target)
    if kept - Counter(run.files.values()):
        yield "a file that was there before is gone, or is another"
    old = known.before.get(case.target)
    if case.keeps_old and old and old[0] not in {digest for digest, _ in run.files.values()}:
        yield "THE OLD FILE IS LOST"


def _tidy(known: Known, run: Run) -> Iterator[str]:
    if run.files not in (known.before, known.after):
        yield f"it left {_listed(run.files)}, which is neither as before nor as after an unharmed run"
    spooled = [name for name in run.spooled if not _PROBE.fullmatch(name)]
    if spooled:
        yield f"it left {', '.join(spooled)} in the temporary folder"


def _said(fault: Fault, call: str, known: Known, run: Run) -> Iterator[str]:  # noqa: C901  # a table
    if "Traceback" in run.errors or "Exception ignored" in run.errors:
        yield f"it printed a traceback: {run.errors.strip().splitlines()[-1]}"
    replaced = known.after.items() <= run.files.items()
    match fault.action:
        case Action.NOTHING | Action.SHORT:
            if run.code or not replaced:
                yield f"exit {run.code}, wanted 0 and the new file: {run.errors.strip()}"
        case Action.SIGNAL_EDITOR:
            if run.code != _SIGNALLED[signal.Signals(fault.number)]:
                yield f"exit {run.code}, wanted {_SIGNALLED[signal.Signals(fault.number)]}: {run.errors.strip()}"
            if fault.number != signal.SIGKILL:
                yield from _one_line(run)
        case Action.SIGNAL_READER:
            yield from _failed(run, {3, 4}, replaced=replaced)
        case _ if run.code == 0:
            if call not in IGNORABLE:
                yield f"exit 0 although {call} failed"
            elif not replaced:
                yield "exit 0 without the new file"
        case _:
            yield from _failed(run, {4}, replaced=replaced)


def _failed(run: Run, codes: set[int], *, replaced: bool) -> Iterator[str]:
    if run.code not in codes:
        yield f"exit {run.code}, wanted {' or '.join(map(str, sorted(codes)))}: {run.errors.strip()}"
    if replaced and "durability not confirmed" not in run.errors:
        yield f"the file was replaced, and it does not say so: {run.errors.strip()}"
    yield from _one_line(run)


def _one_line(run: Run) -> Iterator[str]:
    if len(run.errors.splitlines()) != 1:
        yield f"{len(run.errors.splitlines())} lines on standard error, wanted one: {run.errors.strip()!r}"


def _listed(found: Files) -> str:
    return ", ".join(sorted(found)) or "nothing"

"""Whether an edit was right while somebody else did something to the file: it sees it, or it was done before."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tests.faults.kinds import ANOTHER_NAME, NARROWED, Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.cases import Case, Files
    from tests.faults.judge import Known, Run
    from tests.faults.kinds import Fault

_CHANGED = 4


def meddled(case: Case, fault: Fault, known: Known, run: Run, *, late: bool) -> Iterator[str]:
    """What is wrong with a run during which somebody else changed the file.

    Args:
        case: What was edited.
        fault: What they did; it keeps the content.
        known: What unharmed runs leave.
        run: What came of it.
        late: Whether they did it after the edit had looked at the file for the last time.
    """
    if run.code not in ({0, _CHANGED} if late else {_CHANGED}):
        yield f"exit {run.code}, wanted {_CHANGED}: {run.errors.strip()}"
    if run.code == _CHANGED and "another process changed the file" not in run.errors:
        yield f"it does not say that the file was changed: {run.errors.strip()}"
    wanted = known.before if run.code else known.after
    if _plain(run.files) != _plain(wanted):
        yield f"exit {run.code}, and files that do not go with it: {', '.join(sorted(run.files))}"
    if run.spooled:
        yield f"it left {', '.join(run.spooled)} in the temporary folder"
    if not late:
        yield from _undone(case, fault, run)


def _undone(case: Case, fault: Fault, run: Run) -> Iterator[str]:
    """What they did and is not so any more."""
    content, mode = run.files[case.source]
    if fault.action is Action.NARROW and stat.S_IMODE(mode) != NARROWED:
        yield f"the file's mode became {stat.S_IMODE(mode):04o} again"
    if fault.action is Action.LINK and run.files.get(ANOTHER_NAME, ("", 0))[0] != content:
        yield "the file and its other name were parted"


def _plain(files: Files) -> dict[str, str]:
    """What files hold, without what somebody else made."""
    return {name: content for name, (content, _) in files.items() if name != ANOTHER_NAME}

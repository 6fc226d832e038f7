"""What every command that edits does: open, plan, show or apply."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.cli import output
from weightkit.cli.output import Column
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from weightkit.access import Destination, FileStore, Plan, Report


_COLUMNS = (
    Column("weight", least=16),
    Column("shape", number=True),
    Column("dtype"),
    Column("kind"),
    Column("size", number=True),
)


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes: the options that say so."""

    path: Path | None
    force: bool
    no_backup: bool
    break_links: bool = False

    def destination(self) -> Destination:
        """As the library takes it."""
        from weightkit.access import Destination  # noqa: PLC0415

        if self.force and self.path is None:
            raise RequestError(
                "--force lets an output be overwritten, and there is no -o",
                hint="leave out --force, or name an output",
            )
        return Destination(self.path, overwrite=self.force, backup=not self.no_backup, break_links=self.break_links)


def run(
    file: Path,
    planned: Callable[[FileStore], Plan],
    out: Output,
    *,
    like: Path | None = None,
    allow_nonfinite: bool = False,
    verify: bool = False,
    dry_run: bool = False,
) -> output.Result:
    """Plan an edit, then show it (a dry run, on a store that refuses to be edited) or do it."""
    from weightkit.access import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    destination = out.destination()
    with open_weights(file, editable=not dry_run, like=like) as store:
        from weightkit.access import Report  # noqa: PLC0415

        plan = planned(store)
        if dry_run:
            store.require_possible(plan.chosen if plan.sets_values else (), destination, plan.changes)
            return _result(Report(plan, None))
        with output.progress(plan.nbytes) as advance:
            report = plan.apply(store, destination, allow_nonfinite=allow_nonfinite, progress=advance, verify=verify)
        return _result(report)


def _result(report: Report) -> output.Result:
    plan = report.plan
    weights = f"{len(plan.chosen)} of {len(plan.chosen) + len(plan.skipped)} weights, {output.size(plan.nbytes)}"
    act, done = ("change", "changed") if plan.sets_values else ("drop", "dropped")
    verb = f"would {act}" if report.outcome is None else done
    return output.Result(
        record=report.to_dict(),
        heading=(f"{plan.label}: {plan.transform!r} {verb} {weights}",),
        columns=_COLUMNS,
        rows=tuple(
            (ref.path, ref.shape_text, str(ref.dtype), str(ref.kind), output.size(ref.nbytes)) for ref in plan.chosen
        ),
        lines=(
            *((act, ref.path, ref.structure) for ref in plan.chosen),
            *(("leave", skipped.ref.path, skipped.ref.structure, skipped.reason) for skipped in plan.skipped),
        ),
        notes=(*_left(report), *plan.notes, *_where_it_went(report)),
    )


def _left(report: Report) -> Iterator[str]:
    for reason, count in report.plan.reasons().items():
        yield f"left as they are: {count}, {reason}"


def _what_was_lost(report: Report) -> Iterator[str]:
    for ref, lost in report.lost.items():
        if lost.nonfinite:
            yield f"{ref.path}: {lost.nonfinite.infinities} new infinities, {lost.nonfinite.nans} new NaNs"
    zeros, inexact = (sum(getattr(lost, name) for lost in report.lost.values()) for name in ("zeros", "inexact"))
    if inexact or zeros:
        yield f"{inexact} elements lost digits, {zeros} of them became zero"


def _where_it_went(report: Report) -> Iterator[str]:
    outcome = report.outcome
    yield from _what_was_lost(report)
    if outcome is None:
        yield "nothing was changed: this was a dry run"
    elif outcome.output is not None:
        yield f"written to {outcome.output}"
        if outcome.backup is not None:
            yield f"the file as it was: {outcome.backup}"
        if outcome.backups:
            backups = "1 backup takes" if outcome.backups == 1 else f"{outcome.backups} backups take"
            command = f"weightkit restore {shlex.quote(str(outcome.output))} --list"
            yield f"{backups} {output.size(outcome.backups_bytes)}: see `{command}`"
        yield from _what_was_verified(report)
        yield from outcome.notes


def _what_was_verified(report: Report) -> Iterator[str]:
    found = report.verification
    if found is not None:
        more = f", {found.structure_only} datasets of no numbers by structure alone" if found.structure_only else ""
        yield f"verified: {found.changed} weights computed again, {found.untouched} untouched ones compared{more}"

"""What all editing commands share: options, the edit itself, and how the report is shown."""

from __future__ import annotations

import functools
import inspect
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from weightkit.cli import options, output
from weightkit.cli.output import Column
from weightkit.text import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weightkit.access import Report


_COLUMNS = (
    Column("weight", least=16),
    Column("shape", number=True),
    Column("dtype"),
    Column("kind"),
    Column("size", number=True),
)


def command(
    *without: str, file: Any = options.File, instead: Mapping[str, Callable[..., output.Result]] = MappingProxyType({})
) -> Callable[[Callable[..., Any]], Callable[..., output.Result]]:
    """Make a command from a function that takes an act's own options and returns the act.

    The command has the function's arguments, then FILE, then the function's options and the shared ones.

    Args:
        without: Shared options that this act does not take.
        file: What is edited, as an argument of the command line.
        instead: By flag, what is done in place of the edit; it takes all other arguments.
    """

    def decorate(make: Callable[..., Any]) -> Callable[..., output.Result]:
        # `from __future__ import annotations` leaves text, and typer needs the types.
        own = inspect.signature(make, eval_str=True).parameters
        first, *shared = (option for option in options.EDITING if option.name not in without)
        before = [option for option in own.values() if option.kind is not option.KEYWORD_ONLY]
        after = [option for option in own.values() if option.kind is option.KEYWORD_ONLY]

        @functools.wraps(make)
        def run(**given: Any) -> output.Result:
            mine = {name: given.pop(name) for name in own}
            asked = [answer for flag, answer in instead.items() if mine.pop(flag)]
            return asked[0](**given, **mine) if asked else _edit(functools.partial(make, **mine), **given)

        parameters = [*before, first.replace(annotation=file), *after, *shared]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _edit(
    act: Callable[[], Any],
    *,
    file: Any,
    where: Any = None,
    exclude: Any = None,
    no_backup: bool = False,
    force: bool = False,
    json: bool = False,  # noqa: ARG001  # every command takes it; the printing looks at it
    **how: Any,
) -> output.Result:
    from weightkit.access import Options, perform  # noqa: PLC0415  # nothing is loaded for --help

    chosen = Options(backup=not no_backup, overwrite=force, **how)
    return _result(perform(file, act, where or None, exclude or None, chosen, watch=output.progress))


def _result(report: Report) -> output.Result:
    plan = report.plan
    weights = f"{len(plan.chosen)} of {len(plan.chosen) + len(plan.skipped)} weights, {size(plan.nbytes)}"
    act, done = ("change", "changed") if plan.sets_values else ("drop", "dropped")
    verb = f"would {act}" if report.outcome is None else done
    return output.Result(
        record=report.to_dict(),
        heading=(f"{plan.label}: {plan.transform!r} {verb} {weights}",),
        columns=_COLUMNS,
        rows=tuple((ref.path, ref.shape_text, ref.dtype_text, str(ref.kind), size(ref.nbytes)) for ref in plan.chosen),
        lines=(
            *((act, ref.path, ref.structure) for ref in plan.chosen),
            *(("leave", skipped.ref.path, skipped.ref.structure, skipped.reason) for skipped in plan.skipped),
        ),
        warnings=plan.store_notes,
        notes=(*_unchanged(report), *plan.notes, *_result_notes(report)),
    )


def _unchanged(report: Report) -> Iterator[str]:
    for reason, count in report.plan.reasons().items():
        yield f"unchanged: {count}, {reason}"


def _what_was_lost(report: Report) -> Iterator[str]:
    for ref, lost in report.lost.items():
        if lost.nonfinite:
            yield f"{ref.path}: {lost.nonfinite.infinities} new infinities, {lost.nonfinite.nans} new NaNs"
    zeros, inexact = (sum(getattr(lost, name) for lost in report.lost.values()) for name in ("zeros", "inexact"))
    if inexact or zeros:
        yield f"{inexact} elements lost digits, {zeros} of them became zero"


def _result_notes(report: Report) -> Iterator[str]:
    outcome = report.outcome
    yield from _what_was_lost(report)
    if outcome is None:
        yield "nothing was changed: this was a dry run"
    elif outcome.output is not None:
        yield f"written to {outcome.output}"
        if outcome.backup is not None:
            yield f"the old file is kept as {outcome.backup}"
        if outcome.backups:
            backups = "1 backup takes" if outcome.backups == 1 else f"{outcome.backups} backups take"
            command = f"weightkit restore {shlex.quote(str(outcome.output))} --list"
            yield f"{backups} {size(outcome.backups_bytes)}: see `{command}`"
        yield from _what_was_verified(report)
        yield from outcome.notes


def _what_was_verified(report: Report) -> Iterator[str]:
    found = report.verification
    if found is not None:
        more = f", {found.structure_only} datasets without numbers by structure only" if found.structure_only else ""
        yield f"verified: {found.changed} changed weights recomputed, {found.untouched} unchanged ones compared{more}"

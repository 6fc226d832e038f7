"""The steps of every edit: open the target, make the act, plan it, then show the plan or do it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightkit.access.store import Destination
from weightkit.access.targets import opened
from weightkit.arguments import boolean, require_path
from weightkit.errors import RequestError

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from weightkit.access.edits.plan import Plan, Report
    from weightkit.access.select import Where
    from weightkit.access.store import WeightStore
    from weightkit.access.targets import Target

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How an edit is done, and where its result goes; see `edit`."""

    output: str | os.PathLike[str] | None = None
    overwrite: bool = False
    backup: bool = True
    break_links: bool = False
    verify: bool = False
    like: Target | None = None
    allow_nonfinite: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("overwrite", "backup", "break_links", "verify", "allow_nonfinite", "dry_run"):
            boolean(name, getattr(self, name))
        if self.output is not None:
            require_path("output", self.output)

    def destination(self) -> Destination:
        """Where the result goes.

        Raises:
            RequestError: ``overwrite`` is given without an output.
        """
        if self.overwrite and self.output is None:
            raise RequestError(
                "overwrite (--force) must come with an output (-o), got none", hint="leave it out, or name an output"
            )
        output = None if self.output is None else Path(self.output)
        return Destination(output, overwrite=self.overwrite, backup=self.backup, break_links=self.break_links)


def planned(
    target: Target, make: Callable[[], Any], where: Where, exclude: Where, *, like: Target | None = None
) -> Plan:
    """Plan the act or acts that ``make`` returns; it is called while the file is read, since acts load NumPy."""
    with opened(target, like=like) as store, contextlib.ExitStack() as sources:
        return _plan(store, make(), where, exclude, sources)


def perform(
    target: Target,
    make: Callable[[], Any],
    where: Where,
    exclude: Where,
    options: Options,
    *,
    watch: Callable[[int], AbstractContextManager[Progress | None]] = lambda _: contextlib.nullcontext(),
) -> Report:
    """Plan and do the act or acts that ``make`` returns, or with ``dry_run`` only report what would be done.

    Args:
        target: What is edited.
        make: Called while the file is read, since acts load NumPy.
        where: Which weights.
        exclude: Which of the selected weights to leave out.
        options: How it is done.
        watch: Called with the number of bytes that change; returns the callback for bytes done.
    """
    destination = options.destination()
    with (
        # Otherwise a shared lock on the source is enough: it stays as it is.
        opened(target, editable=not options.dry_run and options.output is None, like=options.like) as store,
        contextlib.ExitStack() as sources,
    ):
        from weightkit.access.edits.apply import require_verifiable  # noqa: PLC0415
        from weightkit.access.edits.plan import Report  # noqa: PLC0415  # NumPy, after the reading process starts

        if options.verify:
            require_verifiable(store)
        plan = _plan(store, make(), where, exclude, sources, output=destination.output)
        if options.dry_run:
            store.require_possible(plan.chosen if plan.sets_values else (), destination, plan.changes)
            return Report(plan, None)
        with watch(plan.nbytes) as progress:
            return plan.apply(
                store,
                destination,
                allow_nonfinite=options.allow_nonfinite,
                progress=progress,
                verify=options.verify,
            )


def _plan(
    store: WeightStore,
    acts: Any,
    where: Where,
    exclude: Where,
    sources: contextlib.ExitStack,
    *,
    output: Path | None = None,
) -> Plan:
    """The plan; what the acts read from stays open until the edit is done."""
    from weightkit.access.edits.chain import plan_all, require_acts  # noqa: PLC0415
    from weightkit.access.edits.plan import held_open  # noqa: PLC0415  # NumPy, after the reading process starts

    listed = list(acts) if isinstance(acts, Sequence) and not isinstance(acts, str) else [acts]
    require_acts(listed, store.label)  # before one is entered: a store among them would be closed
    for act in listed:
        act.require_apart(store, output)
        sources.enter_context(held_open(act))
    return plan_all(store, listed, where, exclude)

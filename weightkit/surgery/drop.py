"""Take weights out of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from weightkit.access.edits.choose import Where, choose
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.editing import edit
from weightkit.errors import SelectionError
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy as np

    from weightkit.access.edits.plan import Plan, Report
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore
    from weightkit.access.targets import Target

_STALE = "the optimizer's state stays, that of the dropped weights too: `weightkit strip` takes it out"
_AFRESH = "the optimizer's state is no longer whole: Keras starts the optimizer afresh"


@dataclass(frozen=True, slots=True)
class Drop:
    """Take the selected weights out of a file, of whatever kind, and out of its lists of names.

    All other weights stay as they are, byte for byte. A selection is needed.

    Example:
        >>> from weightkit import Drop
        >>> Drop()
        Drop()
    """

    elementwise: ClassVar[bool] = True
    kinds: ClassVar[frozenset[Kind]] = frozenset(Kind)

    def __repr__(self) -> str:
        return "Drop()"

    def plan(self, store: WeightStore, where: Where = None, exclude: Where = None) -> Plan:
        """Which weights of a file go, of whatever kind, and what else must change for its lists to agree.

        Raises:
            SelectionError: There is no selection, or it is malformed, chooses nothing, or leaves no weight.
        """
        file = require_file(store)
        if where is None:
            raise SelectionError(
                "there is no selection of what to drop", hint="say which weights with --where (where=)", file=file.label
            )
        plan = choose(file, self, where, exclude)
        if all(skipped.ref.kind is Kind.OPTIMIZER for skipped in plan.skipped):
            raise SelectionError(
                "the selection chooses every weight, and a file without weights is of no use",
                hint="leave some with --exclude (exclude=)",
                file=file.label,
            )
        changes = file.layout.without([file.dataset(ref) for ref in plan.chosen])
        notes = (*plan.notes, *file.layout.advice(changes), *_on_the_optimizer(plan))
        return replace(plan, changes=changes, sets_values=False, notes=notes)

    def dtype(self, ref: WeightRef) -> np.dtype:
        """The weight's own."""
        return ref.dtype

    def objection(self, ref: WeightRef) -> str:  # noqa: ARG002  # any dataset can go
        """Nothing."""
        return ""

    def notes(self) -> tuple[str, ...]:
        """Nothing that holds for every file."""
        return ()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """Never asked for."""
        return values


def drop(
    target: Target,
    where: Where = None,
    exclude: Where = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    dry_run: bool = False,
) -> Report:
    """Take the selected weights out of a file: ``edit(target, Drop(), where)``.

    A selection is needed. The other arguments are those of `edit`.

    Raises:
        WeightkitError: As `edit` does.

    Example:
        >>> drop("model.keras", "encoder", output="headless.keras").output  # doctest: +SKIP
    """
    return edit(
        target,
        Drop(),
        where,
        exclude,
        output=output,
        overwrite=overwrite,
        backup=backup,
        break_links=break_links,
        verify=verify,
        like=like,
        dry_run=dry_run,
    )


def _on_the_optimizer(plan: Plan) -> Iterator[str]:
    if any(ref.kind is Kind.OPTIMIZER for ref in plan.chosen):
        yield _AFRESH
    elif any(skipped.ref.kind is Kind.OPTIMIZER for skipped in plan.skipped):
        yield _STALE

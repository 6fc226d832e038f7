"""Take weights out of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from weightkit.access.choose import Where, plan_edit
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    import numpy as np

    from weightkit.access.files.filestore import FileStore
    from weightkit.access.plan import Plan
    from weightkit.access.ref import WeightRef

_STALE = "the optimizer's state stays, and no longer fits the weights: take it out with `weightkit strip`"


@dataclass(frozen=True, slots=True)
class Drop:
    """Take weights out; no values are computed."""

    elementwise: ClassVar[bool] = True
    kinds: ClassVar[frozenset[Kind]] = frozenset(Kind)

    def __repr__(self) -> str:
        return "drop()"

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


def plan_drop(store: FileStore, where: Where, exclude: Where = None) -> Plan:
    """Which weights of a file go, of whatever kind, and what else must change for its lists to agree.

    Raises:
        SelectionError: There is no selection, or it is malformed or chooses nothing.
    """
    if where is None:
        raise SelectionError(
            "there is no selection of what to drop", mend="say which weights with --where (where=)", file=store.label
        )
    plan = plan_edit(store, Drop(), where, exclude)
    changes = store.layout.without([store.dataset(ref) for ref in plan.chosen])
    kept = (skipped.ref for skipped in plan.skipped)
    stale = (_STALE,) if any(ref.kind is Kind.OPTIMIZER for ref in kept) else ()
    notes = (*plan.notes, *store.layout.advice("drop"), *stale)
    return replace(plan, changes=changes, sets_values=False, notes=notes)

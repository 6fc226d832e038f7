"""Take the optimizer's state and the training configuration out of a file: two thirds of most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.plan import Plan, Skipped
from weightkit.access.ref import Kind
from weightkit.errors import RequestError
from weightkit.surgery.drop import Drop

if TYPE_CHECKING:
    from weightkit.access.files.filestore import FileStore


class Strip(Drop):
    """Take out what only training needs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "strip()"


def plan_strip(store: FileStore) -> Plan:
    """What stripping takes out of a file.

    Raises:
        RequestError: The file holds neither optimizer state nor a training configuration.
    """
    changes = store.layout.stripped()
    if not changes:
        raise RequestError(
            "it holds no optimizer state and no training configuration",
            mend="there is nothing to strip",
            file=store.label,
        )
    refs = tuple(store)
    chosen = tuple(ref for ref in refs if ref.kind is Kind.OPTIMIZER)
    skipped = tuple(Skipped(ref, "needed without training too") for ref in refs if ref.kind is not Kind.OPTIMIZER)
    notes = ("the training configuration goes too: compile the model again after loading",)
    return Plan(store.label, Strip(), chosen, skipped, notes, changes, sets_values=False)

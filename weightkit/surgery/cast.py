"""Change the type in which weights are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import ml_dtypes
import numpy as np

from weightkit.access.arithmetic import is_floating
from weightkit.access.changes import Changes
from weightkit.access.choose import Where, plan_edit
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access.files.filestore import FileStore
    from weightkit.access.plan import Plan
    from weightkit.access.ref import WeightRef

TYPES: dict[str, np.dtype] = {
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
"""Types that weights can be cast to, by name."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Store floating-point weights in another type; made by `cast`."""

    to: str
    elementwise: ClassVar[bool] = True
    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.PARAMETER})

    def __repr__(self) -> str:
        return f"cast({self.to!r})"

    def dtype(self, ref: WeightRef) -> np.dtype:  # noqa: ARG002  # the same for all
        """The type asked for."""
        return TYPES[self.to]

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be cast; empty where it can."""
        if ref.kind is Kind.QUANTIZATION:
            return "it belongs to a quantised layer, whose integers and scales stay as they are"
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype}, and only floating-point numbers are cast"
        return f"it is {self.to} already" if ref.dtype == TYPES[self.to] else ""

    def notes(self) -> tuple[str, ...]:
        """Nothing that holds for every file."""
        return ()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """The values as they are: they are rounded once, on their way into the new type."""
        return values


def cast(to: str) -> Cast:
    """Store weights in another floating-point type.

    Args:
        to: ``float16``, ``bfloat16``, ``float32`` or ``float64``.

    Raises:
        RequestError: It is another type.
    """
    if to not in TYPES:
        raise RequestError(f"the type is {to}, not one of {', '.join(TYPES)}", mend="give one of these")
    return Cast(to)


def plan_cast(store: FileStore, to: str, where: Where = None, exclude: Where = None) -> Plan:
    """Which weights of a file a cast changes, and what else it has to say in the file.

    Raises:
        RequestError: The type is not one that weights can be cast to.
        SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
    """
    transform = cast(to)
    plan = plan_edit(store, transform, where, exclude)
    changes = Changes(types={ref: transform.dtype(ref) for ref in plan.chosen})
    for ref in plan.chosen:
        changes = changes | store.layout.retyped(store.dataset(ref), transform.dtype(ref))
    return replace(plan, changes=changes, notes=(*plan.notes, *store.layout.advice(f"cast to {to}")))

"""Change the type in which weights are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import ml_dtypes
import numpy as np

from weightkit.access.changes import Changes
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.edits.choose import Where, choose
from weightkit.access.ref import Kind
from weightkit.access.store import ALL
from weightkit.errors import RequestError
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    from weightkit.access.edits.plan import Plan
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

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

    def plan(self, store: WeightStore, where: Where = None, exclude: Where = None) -> Plan:
        """Which weights of a file are cast, and what else the file has to say then.

        Raises:
            SelectionError: The selection is malformed, chooses nothing, or leaves a weight undecided.
        """
        file = require_file(store)
        plan = choose(file, self, where, exclude)
        changes = Changes(types=dict.fromkeys(plan.chosen, TYPES[self.to]))
        for ref in plan.chosen:
            changes = changes | file.layout.retyped(file.dataset(ref), TYPES[self.to])
        return replace(plan, changes=changes, notes=(*plan.notes, *file.layout.advice(changes)))

    def dtype(self, ref: WeightRef) -> np.dtype:  # noqa: ARG002  # the same for all
        """The type asked for."""
        return TYPES[self.to]

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be cast; empty where it can."""
        if ref.kind is Kind.QUANTIZATION:
            return "it belongs to a quantized layer, whose integers and scales stay as they are"
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype}, and only floating-point numbers are cast"
        same = ref.dtype.newbyteorder("=") == TYPES[self.to].newbyteorder("=")
        return f"it is {self.to} already" if same else ""

    def notes(self) -> tuple[str, ...]:
        """Nothing that holds for every file."""
        return ()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """The values as they are: they are rounded once, on their way into the new type."""
        return values


def cast(to: str) -> Cast:
    """Store weights in another floating-point type, each value rounded once to the nearest, ties to even.

    Without a selection, all parameters are cast. New infinities refuse the edit unless they are allowed; elements
    that lose digits or become zero are counted in the report.

    Args:
        to: ``float16``, ``bfloat16``, ``float32`` or ``float64``.

    Raises:
        RequestError: It is another type.

    Example:
        >>> from weightkit import cast
        >>> cast("float16")
        cast('float16')
    """
    if to not in TYPES:
        raise RequestError(f"the type is {to}, not one of {', '.join(TYPES)}", hint="give one of these")
    return Cast(to)

"""Change the type in which weights are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import ml_dtypes
import numpy as np

from weightkit.access import ALL, Changes, Kind, Transform, edit, is_floating
from weightkit.errors import RequestError
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from weightkit.access import Report, Target, WeightRef, WeightStore, Where

TYPES: dict[str, np.dtype] = {
    # Little-endian by name: a file is the same whichever machine writes it.
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
"""Types that weights can be cast to, by name."""


@dataclass(frozen=True, slots=True)
class Cast(Transform):
    """Store weights in another floating-point type, each value rounded once to the nearest, ties to even.

    New infinities are refused unless they are allowed; elements that lose digits or become zero are counted in the
    report.

    Args:
        to: ``float16``, ``bfloat16``, ``float32`` or ``float64``.

    Raises:
        RequestError: ``to`` is another type.

    Example:
        >>> from weightkit import Cast
        >>> Cast("float16")
        Cast('float16')
    """

    sets_types: ClassVar[bool] = True

    to: str

    def __post_init__(self) -> None:
        if not isinstance(self.to, str) or self.to not in TYPES:
            raise RequestError(f"to must be one of {', '.join(TYPES)}, got {self.to!r}", hint="give one of these types")

    def __repr__(self) -> str:
        return f"Cast({self.to!r})"

    def on(self, store: WeightStore) -> Cast:
        """The same, for a file.

        Raises:
            RequestError: The store is not a file.
        """
        require_file(store)
        return self

    def dtype(self, ref: WeightRef) -> np.dtype:  # noqa: ARG002  # the same for all
        """The new type."""
        return TYPES[self.to]

    def objection(self, ref: WeightRef) -> str:
        """Why this weight cannot be cast; empty if it can."""
        if ref.kind is Kind.QUANTIZATION:
            return "it belongs to a quantized layer, whose integers and scales stay unchanged"
        if not is_floating(ref.dtype):
            return f"it holds {ref.dtype_text}, and only floating-point numbers can be cast"
        # A big-endian float32 is a float32 too.
        same = ref.dtype.newbyteorder("=") == TYPES[self.to].newbyteorder("=")
        return f"it is already {self.to}" if same else ""

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:
        """The new types, and what else changes in the file with them."""
        file = require_file(store)
        more = (file.layout.retyped(file.dataset(ref), TYPES[self.to]) for ref in chosen)
        return Changes(types=dict.fromkeys(chosen, TYPES[self.to])) | Changes.all_of(more)

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """How Keras loads the file."""
        return require_file(store).layout.advice(changes)

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """The same values: they are rounded once, when they are written in the new type."""
        return values


def cast(
    target: Target,
    to: str,
    where: Where = None,
    exclude: Where = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    like: Target | None = None,
    allow_nonfinite: bool = False,
    dry_run: bool = False,
) -> Report:
    """Store weights in another floating-point type: ``edit(target, Cast(to))``.

    ``to`` is ``float16``, ``bfloat16``, ``float32`` or ``float64``. Without ``where``, all parameters are cast. The
    other arguments are those of `edit`.

    Raises:
        WeightkitError: As `Cast` and `edit` do.

    Example:
        >>> cast("model.keras", "float16", output="half.keras").output  # doctest: +SKIP
    """
    return edit(
        target,
        Cast(to),
        where,
        exclude,
        output=output,
        overwrite=overwrite,
        backup=backup,
        break_links=break_links,
        verify=verify,
        like=like,
        allow_nonfinite=allow_nonfinite,
        dry_run=dry_run,
    )

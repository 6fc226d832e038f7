"""Take weights out of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from weightkit.access import ALL, Kind, Transform, edit
from weightkit.errors import SelectionError
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np

    from weightkit.access import Changes, Report, Target, WeightRef, WeightStore, Where

_STALE = "the optimizer's state stays, that of the dropped weights too: `weightkit strip` takes it out"
_AFRESH = "the optimizer's state is no longer whole: Keras starts the optimizer afresh"


@dataclass(frozen=True, slots=True)
class Drop(Transform):
    """Take the selected weights out of a file, of whatever kind, and out of its lists of names.

    All other weights stay as they are, byte for byte. A selection is needed.

    Example:
        >>> from weightkit import Drop
        >>> Drop()
        Drop()
    """

    sets_values: ClassVar[bool] = False
    selection: ClassVar = "required"

    def __repr__(self) -> str:
        return "Drop()"

    @property
    def kinds(self) -> frozenset[Kind]:
        """All that are selected, of whatever kind."""
        return frozenset(Kind)

    def on(self, store: WeightStore) -> Drop:
        """The same, for a file.

        Raises:
            RequestError: The store is none.
        """
        require_file(store)
        return self

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Drop:
        """The same, where it leaves a weight.

        Raises:
            SelectionError: It does not.
        """
        gone = set(chosen)
        if all(ref in gone or ref.kind is Kind.OPTIMIZER for ref in store):
            raise SelectionError(
                "the selection chooses every weight, and a file without weights is of no use",
                hint="leave some with --exclude (exclude=)",
                file=store.label,
            )
        return self

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:
        """The datasets go, and every mention of them, for the file's lists to agree."""
        file = require_file(store)
        return file.layout.without([file.dataset(ref) for ref in chosen])

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:
        """What Keras will say of the file, and what becomes of the optimizer's state."""
        return (*require_file(store).layout.advice(changes), *_on_the_optimizer(store, chosen))

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


def _on_the_optimizer(store: WeightStore, chosen: Sequence[WeightRef]) -> tuple[str, ...]:
    if any(ref.kind is Kind.OPTIMIZER for ref in chosen):
        return (_AFRESH,)
    return (_STALE,) if any(ref.kind is Kind.OPTIMIZER for ref in store) else ()

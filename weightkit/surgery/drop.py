"""Drop weights from a file."""

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

_STALE = "the optimizer's state stays, that of the dropped weights too: `weightkit strip` removes it"
_INCOMPLETE = "the optimizer's state is no longer complete: Keras starts with a new optimizer"


@dataclass(frozen=True, slots=True)
class Drop(Transform):
    """Drop the selected weights of any kind from a file, and their names from its lists.

    All other weights stay unchanged, byte for byte. A selection is required.

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
        """All kinds."""
        return frozenset(Kind)

    def on(self, store: WeightStore) -> Drop:
        """The same, for a file.

        Raises:
            RequestError: The store is not a file.
        """
        require_file(store)
        return self

    def settled(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Drop:
        """The same, if a weight of the model stays.

        Raises:
            SelectionError: None stays.
        """
        dropped = set(chosen)
        # Optimizer state alone is not a model.
        if all(ref in dropped or ref.kind is Kind.OPTIMIZER for ref in store):
            raise SelectionError(
                "the selection must leave at least one weight, got every weight",
                hint="keep some with --exclude (exclude=)",
                file=store.label,
            )
        return self

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:
        """The datasets go, and their names in the file's lists."""
        file = require_file(store)
        return file.layout.without([file.dataset(ref) for ref in chosen])

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:
        """How Keras loads the file, and what happens to the optimizer's state."""
        return (*require_file(store).layout.advice(changes), *_on_the_optimizer(store, chosen))

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """Never called."""
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
    """Drop the selected weights from a file: ``edit(target, Drop(), where)``.

    A selection is required. The other arguments are those of `edit`.

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
        return (_INCOMPLETE,)
    return (_STALE,) if any(ref.kind is Kind.OPTIMIZER for ref in store) else ()

"""Strip the optimizer's state and the training configuration from a file: two thirds of most files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from weightkit.access import ALL, Kind, Transform, edit
from weightkit.errors import RequestError, UnsupportedFileError
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np

    from weightkit.access import Changes, FileStore, Report, Target, WeightRef, WeightStore

_COMPILE = "the training configuration goes too: compile the model again after loading"
_NEEDED = "also needed without training"


@dataclass(frozen=True, slots=True)
class Strip(Transform):
    """Strip the optimizer's state and the training configuration from a file.

    The rest loads as before, with the same weights; the model is then not compiled. It takes no selection.

    Example:
        >>> from weightkit import Strip
        >>> Strip()
        Strip()
    """

    sets_values: ClassVar[bool] = False
    selection: ClassVar = "none"
    stripped: frozenset[str] = field(default=frozenset(), compare=False)
    """Structural addresses of what is removed; empty before it is planned."""

    def __repr__(self) -> str:
        return "Strip()"

    @property
    def kinds(self) -> frozenset[Kind]:
        """All kinds: the location in the file decides what is removed."""
        return frozenset(Kind)

    def on(self, store: WeightStore) -> Strip:
        """The same, with what it removes from this file.

        Raises:
            RequestError: The store is not a file, or has neither optimizer state nor a training configuration.
            UnsupportedFileError: Other weights are where only the optimizer's state should be.
        """
        file = require_file(store)
        changes = file.layout.stripped()
        if not changes:
            raise RequestError(
                "the file has no optimizer state and no training configuration",
                hint="there is nothing to strip",
                file=file.label,
            )
        dropped = file.dropped(changes)
        _require_optimizer_state(file, dropped)
        return Strip(frozenset(ref.structure for ref in dropped))

    def objection(self, ref: WeightRef) -> str:
        """Why this weight stays; empty if it is removed."""
        return "" if ref.structure in self.stripped else _NEEDED

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:  # noqa: ARG002  # it takes all
        """The optimizer's state and the training configuration are removed."""
        return require_file(store).layout.stripped()

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """That the model must be compiled again, if the file has a training configuration."""
        # The configuration is an attribute of legacy files, and text in a member of a `.keras` file.
        return (_COMPILE,) if changes.attributes or changes.members else ()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """Never called."""
        return values


def _require_optimizer_state(file: FileStore, dropped: Sequence[WeightRef]) -> None:
    others = [ref.path for ref in dropped if ref.kind is not Kind.OPTIMIZER]
    if others:
        raise UnsupportedFileError(
            f"{others[0]} is among the optimizer's state, but is not optimizer state",
            hint="select what to remove with `weightkit drop`",
            file=file.label,
        )


def strip(
    target: Target,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    backup: bool = True,
    break_links: bool = False,
    verify: bool = False,
    dry_run: bool = False,
) -> Report:
    """Strip the optimizer's state and the training configuration from a file: ``edit(target, Strip())``.

    It takes no selection. The other arguments are those of `edit`.

    Raises:
        WeightkitError: As `edit` does.

    Example:
        >>> strip("model.keras").backup  # doctest: +SKIP
    """
    return edit(
        target,
        Strip(),
        output=output,
        overwrite=overwrite,
        backup=backup,
        break_links=break_links,
        verify=verify,
        dry_run=dry_run,
    )

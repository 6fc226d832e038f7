"""Take the optimizer's state and the training configuration out of a file: two thirds of most."""

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
_NEEDED = "needed without training too"


@dataclass(frozen=True, slots=True)
class Strip(Transform):
    """Take the optimizer's state and the training configuration out of a file.

    What remains loads as before, with the same weights; the model is then not compiled. It takes no selection.

    Example:
        >>> from weightkit import Strip
        >>> Strip()
        Strip()
    """

    sets_values: ClassVar[bool] = False
    selection: ClassVar = "none"
    gone: frozenset[str] = field(default=frozenset(), compare=False)
    """Structural addresses of what goes; empty before it is planned."""

    def __repr__(self) -> str:
        return "Strip()"

    @property
    def kinds(self) -> frozenset[Kind]:
        """What goes is told by where it lies."""
        return frozenset(Kind)

    def on(self, store: WeightStore) -> Strip:
        """The same, knowing what goes.

        Raises:
            RequestError: The store is no file, or holds neither optimizer state nor a training configuration.
            UnsupportedFileError: Other weights lie where only the optimizer's state should.
        """
        file = require_file(store)
        changes = file.layout.stripped()
        if not changes:
            raise RequestError(
                "it holds no optimizer state and no training configuration",
                hint="there is nothing to strip",
                file=file.label,
            )
        gone = file.dropped(changes)
        _require_optimizer_state(file, gone)
        return Strip(frozenset(ref.structure for ref in gone))

    def objection(self, ref: WeightRef) -> str:
        """Why this weight stays; empty where it goes."""
        return "" if ref.structure in self.gone else _NEEDED

    def changes(self, store: WeightStore, chosen: Sequence[WeightRef]) -> Changes:  # noqa: ARG002  # it takes all
        """The optimizer's state goes, and what says how the model was trained."""
        return require_file(store).layout.stripped()

    def advice(self, store: WeightStore, chosen: Sequence[WeightRef], changes: Changes) -> tuple[str, ...]:  # noqa: ARG002
        """That the model has to be compiled again, where the file says now how it was."""
        return (_COMPILE,) if changes.attributes or changes.members else ()

    def __call__(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> np.ndarray:  # noqa: ARG002
        """Never asked for."""
        return values


def _require_optimizer_state(file: FileStore, gone: Sequence[WeightRef]) -> None:
    strange = [ref.path for ref in gone if ref.kind is not Kind.OPTIMIZER]
    if strange:
        raise UnsupportedFileError(
            f"{strange[0]} lies among the optimizer's state and is none of it",
            hint="choose what goes with `weightkit drop`",
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
    """Take the optimizer's state and the training configuration out of a file: ``edit(target, Strip())``.

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

"""Take the optimizer's state and the training configuration out of a file: two thirds of most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.edits.plan import Plan, Skipped
from weightkit.access.hdf5.target_index import is_gone
from weightkit.access.ref import Kind
from weightkit.editing import edit
from weightkit.errors import RequestError, SelectionError, UnsupportedFileError
from weightkit.surgery.drop import Drop
from weightkit.surgery.target import require_file

if TYPE_CHECKING:
    import os

    from weightkit.access.edits.choose import Where
    from weightkit.access.edits.plan import Report
    from weightkit.access.store import WeightStore
    from weightkit.access.targets import Target

_COMPILE = "the training configuration goes too: compile the model again after loading"
_NEEDED = "needed without training too"


class Strip(Drop):
    """Take the optimizer's state and the training configuration out of a file.

    What remains loads as before, with the same weights; the model is then not compiled. It takes no selection.

    Example:
        >>> from weightkit import Strip
        >>> Strip()
        Strip()
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Strip()"

    def plan(self, store: WeightStore, where: Where = None, exclude: Where = None) -> Plan:
        """What goes.

        Raises:
            SelectionError: There is a selection.
            RequestError: The file holds neither optimizer state nor a training configuration.
            UnsupportedFileError: Other weights lie where only the optimizer's state should.
        """
        file = require_file(store)
        if where is not None or exclude is not None:
            raise SelectionError(
                "strip takes no selection: all optimizer state goes", hint="use drop to choose", file=file.label
            )
        changes = file.layout.stripped()
        if not changes:
            raise RequestError(
                "it holds no optimizer state and no training configuration",
                hint="there is nothing to strip",
                file=file.label,
            )
        chosen = tuple(ref for ref in file if is_gone(file.dataset(ref).path, changes.dropped))
        strange = [ref.path for ref in chosen if ref.kind is not Kind.OPTIMIZER]
        if strange:
            raise UnsupportedFileError(
                f"{strange[0]} lies among the optimizer's state and is none of it",
                hint="choose what goes with `weightkit drop`",
                file=file.label,
            )
        gone = set(chosen)
        skipped = tuple(Skipped(ref, _NEEDED) for ref in file if ref not in gone)
        notes = (_COMPILE,) if changes.attributes or changes.members else ()
        return Plan(file.label, self, chosen, skipped, notes, changes, sets_values=False)


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

"""What every command that edits does: open, plan, show or apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.cli import output
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weightkit.access.plan import Transform
    from weightkit.access.store import Destination


@dataclass(frozen=True, slots=True)
class Choice:
    """Which weights: the options that choose."""

    where: list[str] | None
    exclude: list[str] | None
    like: Path | None


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes: the options that say so."""

    path: Path | None
    force: bool
    no_backup: bool

    def destination(self) -> Destination:
        """As the library takes it."""
        from weightkit.access.store import Destination  # noqa: PLC0415

        if self.force and self.path is None:
            raise RequestError(
                "--force lets an output be overwritten, and there is no -o",
                mend="leave out --force, or name an output",
            )
        return Destination(self.path, overwrite=self.force, backup=not self.no_backup)


def run(
    file: Path,
    transform: Callable[[], Transform],
    choice: Choice,
    out: Output,
    *,
    allow_nonfinite: bool,
    dry_run: bool,
) -> output.Result:
    """Plan an edit, then show it (a dry run, on a store that refuses to be edited) or do it."""
    from weightkit.access.open import open_weights  # noqa: PLC0415  # it starts the reading process before NumPy

    destination = out.destination()
    with open_weights(file, editable=not dry_run, like=choice.like) as store:
        from weightkit.access.choose import plan_edit  # noqa: PLC0415
        from weightkit.access.plan import Report  # noqa: PLC0415

        plan = plan_edit(store, transform(), choice.where or None, choice.exclude or None)
        if dry_run:
            return output.Result.of_report(Report(plan, None))
        with output.progress(plan.nbytes) as advance:
            report = plan.apply(store, destination, allow_nonfinite=allow_nonfinite, progress=advance)
        return output.Result.of_report(report)

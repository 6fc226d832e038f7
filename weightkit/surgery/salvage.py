"""Salvage what is whole in a damaged file."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import Options
from weightkit.access.salvage import open_for_salvage
from weightkit.arguments import require_path
from weightkit.errors import DamagedFileError, RequestError
from weightkit.text import size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from weightkit.access import Outcome
    from weightkit.access.salvage import DamagedFile, ReadableFile, Remnant


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is whole in a file, and where it was written."""

    file: str
    """As the user named it."""
    format: str
    """Name of the format of what is written."""
    is_whole: bool
    """Whether the file is sound, so that there was nothing to rescue."""
    weights: tuple[Remnant, ...]
    """Every weight that is known of: whole, partial or lost."""
    output: Path | None
    """The new file; None for a dry run."""
    notes: tuple[str, ...]
    """What the user should know, one sentence each; the counts are the last."""

    def count(self, state: str) -> int:
        """How many weights are ``whole``, ``partial`` or ``lost``."""
        return sum(weight.state == state for weight in self.weights)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.salvage/1",
            "file": self.file,
            "format": self.format,
            "is_whole": self.is_whole,
            "dry_run": self.output is None,
            "weights": [_described(weight) for weight in self.weights],
            "totals": {state: self.count(state) for state in ("whole", "partial", "lost")},
            "output": None if self.output is None else str(self.output),
            "notes": list(self.notes),
        }


def salvage(
    target: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Salvage:
    """Write what is whole in a damaged or truncated file as a new file of the same format.

    A weight is whole if all of its bytes are inside the file and its checksums, where it has any, are right. Partial
    and lost weights are listed, and not written: no value is ever invented. A sound file is copied, byte for byte.

    Args:
        target: Path of the file; it stays as it is.
        output: Where the new file goes, which must be another file; it may be left out with ``dry_run``. For an
            archive, a name that ends in ``.weights.h5`` asks for its weights alone.
        overwrite: Whether ``output`` may exist already.
        dry_run: Only say what would be done.

    Raises:
        RequestError: There is no output, or it cannot be there, or its name promises another format.
        RefusedError: The file is unsafe, or not a file of weights; or nothing in it is whole.
        MachineError: The system failed; nothing was written.

    Example:
        >>> print(salvage("truncated.h5", output="rescued.h5").notes[-1])  # doctest: +SKIP
    """
    require_path("target", target)
    options = Options(output=output, overwrite=overwrite, dry_run=dry_run)
    if output is None and not dry_run:
        raise RequestError(
            "salvage writes another file, and no output is given",
            hint="name it with -o OUT (output=), or give -n (dry_run=True)",
            file=os.fspath(target),
        )
    destination = options.destination()
    with contextlib.closing(open_for_salvage(target)) as found:
        if not any(weight.state == "whole" for weight in found.remnants):
            problem = "; ".join(("no weight in it is whole", *found.notes[:1]))
            raise DamagedFileError(problem, hint="use another copy of the file", file=found.label)
        if output is not None:
            found.require_place(destination)
        outcome = None if dry_run else found.write(destination)
        notes = tuple(_notes(found, outcome))
        written = None if outcome is None else outcome.output
        return Salvage(found.label, found.format, found.is_whole, found.remnants, written, notes)


def _notes(found: DamagedFile | ReadableFile, outcome: Outcome | None) -> Iterator[str]:
    yield from found.notes
    yield from _reasons(found.remnants)
    if found.is_whole:
        yield "every weight in the file can be read: there is nothing to rescue"
    if outcome is None:
        yield "nothing was written: this was a dry run"
    else:
        yield from outcome.notes
        yield f"{'copied, byte for byte,' if found.is_whole else 'written'} to {outcome.output}"
    yield _summary(found.remnants)


def _reasons(weights: tuple[Remnant, ...]) -> Iterator[str]:
    """Why weights are not whole, the most common reason first."""
    for (state, why), count in Counter((weight.state, weight.why) for weight in weights if weight.why).most_common():
        yield f"{state}: {count}, {why}"


def _summary(weights: tuple[Remnant, ...]) -> str:
    counts = Counter(str(weight.state) for weight in weights)
    whole = [weight for weight in weights if weight.state == "whole"]
    rest = "".join(f", {count} {state}" for state in ("partial", "lost") if (count := counts[state]))
    return f"{len(whole)} of {len(weights)} weights are whole, {size(sum(weight.nbytes for weight in whole))}{rest}"


def _described(weight: Remnant) -> dict[str, Any]:
    return {
        "structure": weight.structure,
        "state": str(weight.state),
        "shape": None if weight.shape is None else list(weight.shape),
        "dtype": weight.dtype_text or None,
        "bytes": weight.nbytes,
        "present": weight.present,
        "digest": weight.digest or None,
        "why": weight.why or None,
    }

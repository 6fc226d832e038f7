"""What every store of weights can do, whether it is a file or a model in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weightkit.access.changes import NO_CHANGES, Changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from weightkit.access.ref import WeightRef

ALL = slice(None)
"""The span that is the whole weight, in its own shape."""
Check = Callable[[int], None]
"""Checks a complete new file, by its descriptor, before it is put in place; an exception cancels the edit."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an edit of a file goes; the default is in place, with the old file kept as a backup."""

    output: Path | None = None
    """Another file; None edits in place."""
    overwrite: bool = False
    """Whether ``output`` may exist already."""
    backup: bool = True
    """Whether an edit in place keeps the old file as a backup."""
    break_links: bool = False
    """Whether an edit in place may replace a file that has other hard links (they keep the old content)."""


IN_PLACE = Destination()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an edit left on disk; both paths are None for a model in memory."""

    output: Path | None = None
    backup: Path | None = None
    backups: int = 0
    """How many backups the file now has."""
    backups_bytes: int = 0
    """Their total size in bytes."""
    notes: tuple[str, ...] = ()
    """What else happened, a sentence each: links followed or broken, leftovers of a killed edit kept."""


class Sink(Protocol):
    """Takes an edit's new values; all of them become visible at once, when the edit is complete."""

    outcome: Outcome | None
    """Set when the edit has been committed."""

    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of a weight. May be called from several threads."""


class WeightStore(Protocol):
    """Weights with addresses: iterate to list them, read values by address, edit all or nothing."""

    @property
    def label(self) -> str:
        """Its name in messages: the file as the user named it."""

    @property
    def format(self) -> str:
        """Name of the format, such as ``legacy HDF5 model``."""

    @property
    def ordered(self) -> bool:
        """Whether the store knows the order of its layers."""

    def __iter__(self) -> Iterator[WeightRef]:
        """All weights, in the order of the layers where it is known; reads no values."""

    def read(self, ref: WeightRef, span: slice = ALL) -> np.ndarray:
        """A copy of the values: the whole weight in its shape, or a flat span of its elements in C order."""

    def editing(
        self,
        changing: Sequence[WeightRef],
        destination: Destination = IN_PLACE,
        changes: Changes = NO_CHANGES,
        check: Check | None = None,
    ) -> AbstractContextManager[Sink]:
        """Set exactly the weights ``changing`` and apply ``changes``: commits on exit, discards all on an error."""

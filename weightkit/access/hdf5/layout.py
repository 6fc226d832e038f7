"""What a format knows of its own upkeep: what must change with an edit of structure, so that all agrees again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np

    from weightkit.access.changes import Changes
    from weightkit.access.hdf5.index import Dataset


class Layout(Protocol):
    """The upkeep of one file in one format."""

    def stripped(self) -> Changes:
        """Remove the optimizer's state and the training configuration; empty where there is neither."""

    def without(self, datasets: Collection[Dataset]) -> Changes:
        """Remove datasets, and every mention of them in the file's lists."""

    def retyped(self, dataset: Dataset, dtype: np.dtype) -> Changes:
        """Say in the file that a dataset has a new type, where its format says so."""

    def advice(self, changes: Changes) -> tuple[str, ...]:
        """What Keras will say of the file after these changes, a sentence each."""

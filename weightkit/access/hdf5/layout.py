"""How a format's structure is edited: what else must change so that the file stays consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np

    from weightkit.access.changes import Changes
    from weightkit.access.hdf5.index import Dataset


class Layout(Protocol):
    """How the structure of one file in one format is edited."""

    def stripped(self) -> Changes:
        """Remove the optimizer's state and the training configuration; empty where there is neither."""

    def without(self, datasets: Collection[Dataset]) -> Changes:
        """Remove datasets, and every mention of them in the file's lists."""

    def retyped(self, dataset: Dataset, dtype: np.dtype) -> Changes:
        """Record a dataset's new type, where the format stores types."""

    def advice(self, changes: Changes) -> tuple[str, ...]:
        """What Keras does with the file after these changes, a sentence each."""

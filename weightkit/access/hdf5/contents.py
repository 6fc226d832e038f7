"""What a format found in a file, for the store that reads and edits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.configured import Configured
    from weightkit.access.hdf5.index import Dataset
    from weightkit.access.hdf5.layout import Layout
    from weightkit.access.ref import WeightRef


@dataclass(frozen=True, slots=True)
class Contents:
    """What a format found in a file: its weights, each with its dataset, and facts about the whole file."""

    format: str
    keras_version: str | None
    weights: Mapping[WeightRef, Dataset]
    ordered: bool
    config: Mapping[str, Any] | None
    layout: Layout
    configured: Mapping[str, Configured] = field(default_factory=dict)
    """Configurations of the weights' layers, by structural address."""
    manifest: Any = None
    """What else the format knows about the whole file, in its own form; or a function that finds it out when asked."""
    notes: tuple[str, ...] = ()
    """What the user should know about the whole file, one sentence each."""
    suffixes: tuple[str, ...] = ()
    """Ends of names under which Keras opens this format, the usual one first; empty if any name will do."""
    backend: str | None = None
    """The backend of the Keras that wrote it, where it says so: ``tensorflow``, ``theano``, ``cntk``."""

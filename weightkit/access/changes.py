"""What an edit does to a file besides setting values: types, objects, attributes, members."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from weightkit.access.ref import WeightRef

AttributeValue = str | list[str] | None
"""New text, a new list of text, or None to remove the attribute."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a file's structure; with none of them, only values change."""

    types: Mapping[WeightRef, np.dtype] = field(default_factory=dict)
    """New types of weights."""
    dropped: frozenset[str] = frozenset()
    """HDF5 paths of datasets and groups to remove, with everything below them."""
    attributes: Mapping[str, Mapping[str, AttributeValue]] = field(default_factory=dict)
    """New values of attributes, by the HDF5 path of their object and by name."""
    members: Mapping[str, bytes] = field(default_factory=dict)
    """New bytes of an archive's other members, by name."""

    def __or__(self, other: Changes) -> Changes:
        """Both changes; where both set the same attribute or member, the other's wins."""
        attributes = {path: {**values} for path, values in self.attributes.items()}
        for path, values in other.attributes.items():
            attributes[path] = {**attributes.get(path, {}), **values}
        return Changes(
            {**self.types, **other.types},
            self.dropped | other.dropped,
            attributes,
            {**self.members, **other.members},
        )

    def __bool__(self) -> bool:
        return bool(self.types or self.dropped or self.attributes or self.members)


NO_CHANGES = Changes()

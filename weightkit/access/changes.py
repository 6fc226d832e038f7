"""What an edit does to a file besides setting values: types, objects, attributes, members."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        return self.all_of((self, other))

    @classmethod
    def all_of(cls, several: Iterable[Changes]) -> Changes:
        """Many changes at once, since each ``|`` copies both sides; where several set the same, the last one wins."""
        types: dict[WeightRef, np.dtype] = {}
        dropped: set[str] = set()
        attributes: dict[str, dict[str, AttributeValue]] = {}
        members: dict[str, bytes] = {}
        for changes in several:
            types.update(changes.types)
            dropped.update(changes.dropped)
            members.update(changes.members)
            for path, values in changes.attributes.items():
                attributes.setdefault(path, {}).update(values)
        return cls(types, frozenset(dropped), attributes, members)

    def __bool__(self) -> bool:
        return bool(self.types or self.dropped or self.attributes or self.members)


NO_CHANGES = Changes()

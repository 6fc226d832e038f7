"""One weight of a listing, and its record as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weightkit.access import WeightRef
    from weightkit.inspect.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Listed:
    """One weight, and its measures where they were asked for."""

    ref: WeightRef
    statistics: Statistics | None = None

    def to_dict(self, *, with_statistics: bool) -> dict[str, Any]:
        """As JSON."""
        ref = self.ref
        record: dict[str, Any] = {
            "structure": ref.structure,
            "path": ref.path,
            "layer": ref.layer,
            "layer_class": ref.layer_class,
            "index": ref.index,
            "name": ref.name,
            "shape": list(ref.shape),
            "dtype": ref.dtype_text,
            "kind": str(ref.kind),
            "trainable": ref.trainable,
            "known_from": None if ref.known_from is None else str(ref.known_from),
            "bytes": ref.nbytes,
        }
        if with_statistics:
            record["stats"] = self.statistics.to_dict() if self.statistics else None
        return record

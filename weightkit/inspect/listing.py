"""What a store holds, as a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind, selected
from weightkit.inspect.statistics import Statistics, measure

if TYPE_CHECKING:
    from weightkit.access import WeightRef, WeightStore, Where


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
            "dtype": str(ref.dtype),
            "kind": str(ref.kind),
            "trainable": ref.trainable,
            "known_from": None if ref.known_from is None else str(ref.known_from),
            "bytes": ref.nbytes,
        }
        if with_statistics:
            record["stats"] = self.statistics.to_dict() if self.statistics else None
        return record


@dataclass(frozen=True, slots=True)
class Listing:
    """The weights of a file."""

    file: str
    format: str
    keras_version: str | None
    file_bytes: int
    weights: tuple[Listed, ...]
    with_statistics: bool
    notes: tuple[str, ...] = ()
    """What the user should know of the selection."""

    def totals(self) -> dict[str, Any]:
        """Counts of weights, elements and bytes, overall and by kind."""
        kinds = {kind: [listed.ref for listed in self.weights if listed.ref.kind is kind] for kind in Kind}
        return _total([listed.ref for listed in self.weights]) | {
            "kinds": {str(kind): _total(refs) for kind, refs in kinds.items() if refs},
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": "weightkit.show/1",
            "file": self.file,
            "format": self.format,
            "keras_version": self.keras_version,
            "weights": [listed.to_dict(with_statistics=self.with_statistics) for listed in self.weights],
            "totals": self.totals() | {"file_bytes": self.file_bytes},
        }


def list_weights(store: WeightStore, where: Where = None, exclude: Where = None, *, stats: bool = False) -> Listing:
    """The weights of a store that a selection matches, all of them by default; ``stats`` reads their values.

    Raises:
        SelectionError: The selection is malformed or chooses nothing.
    """
    found = selected(store, where or None, exclude or None)
    weights = tuple(Listed(ref, measure(store, ref) if stats else None) for ref in found.refs)
    return Listing(store.label, store.format, store.keras_version, store.nbytes, weights, stats, found.notes)


def _total(refs: list[WeightRef]) -> dict[str, int]:
    return {
        "weights": len(refs),
        "elements": sum(ref.size for ref in refs),
        "bytes": sum(ref.nbytes for ref in refs),
    }

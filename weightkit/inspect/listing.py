"""A listing of a store's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind, selected
from weightkit.escape import escape, escape_cell, quoted
from weightkit.html import table
from weightkit.inspect.listed_weight import Listed
from weightkit.inspect.statistics import measure
from weightkit.inspect.table import Table, aligned, listing_table
from weightkit.text import size

if TYPE_CHECKING:
    from weightkit.access import WeightRef, WeightStore, Where


@dataclass(frozen=True, slots=True)
class Listing:
    """The weights of a file or of a model in memory; printing it shows a table."""

    file: str
    """The path as given; for a model, its class and name."""
    format: str
    keras_version: str | None
    file_bytes: int
    weights: tuple[Listed, ...]
    with_statistics: bool
    notes: tuple[str, ...] = ()
    """What the user should know about the selection."""
    file_notes: tuple[str, ...] = ()
    """What the user should know about the whole file."""

    def heading(self) -> str:
        """The file, its format, version and size, in one line."""
        version = f", Keras {self.keras_version}" if self.keras_version else ""
        return f"{self.file}: {self.format}{version}, {size(self.file_bytes)}"

    def summary(self) -> str:
        """Counts of what is listed, in one line."""
        totals = self.totals()
        kinds = ", ".join(f"{total['weights']} {kind}" for kind, total in totals["kinds"].items())
        counts = f"{totals['weights']} weights, {totals['elements']} elements, {size(totals['bytes'])}"
        return counts + (f": {kinds}" if kinds else "")

    def __repr__(self) -> str:
        return f"<Listing of {quoted(self.file)}: {len(self.weights)} weights>"

    def __str__(self) -> str:
        shown = listing_table(self.weights, with_statistics=self.with_statistics)
        table = Table(shown.headings, tuple(tuple(map(escape_cell, row)) for row in shown.rows))
        remarks = (*self.file_notes, self.summary(), *self.notes)
        return "\n".join((escape(self.heading()), *aligned(table), *map(escape, remarks)))

    def _repr_html_(self) -> str:
        shown = listing_table(self.weights, with_statistics=self.with_statistics)
        return table(self.heading(), shown.headings, shown.rows, (*self.file_notes, self.summary(), *self.notes))

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
            "notes": [*self.file_notes, *self.notes],
        }


def list_weights(store: WeightStore, where: Where = None, exclude: Where = None, *, stats: bool = False) -> Listing:
    """List the weights of a store that a selection matches, all by default; ``stats`` reads their values.

    Raises:
        SelectionError: The selection is malformed or chooses nothing.
    """
    found = selected(store, where, exclude)
    weights = tuple(Listed(ref, measure(store, ref) if stats else None) for ref in found.refs)
    about = (store.label, store.format, store.keras_version, store.nbytes)
    return Listing(*about, weights, stats, found.notes, store.notes)


def _total(refs: list[WeightRef]) -> dict[str, int]:
    return {
        "weights": len(refs),
        "elements": sum(ref.size for ref in refs),
        "bytes": sum(ref.nbytes for ref in refs),
    }

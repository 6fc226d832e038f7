"""Which datasets share bytes with another object; where one is reached from the root, only the other is at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.salvage.structure.datasets import CHUNKED, COMPACT, FoundDataset
from weightkit.access.salvage.structure.window import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weightkit.access.hdf5.chunks import Chunk
    from weightkit.access.salvage.structure.survey import Survey

_STRUCTURE = -1
"""Stands in the place of an address for what is no dataset."""
Span = tuple[int, int, int]
"""First byte, end, and the address of the dataset whose values they are."""


def overlapping(found: Survey, chunks: Mapping[int, Iterable[Chunk]]) -> frozenset[int]:
    """Addresses of datasets whose values share bytes with another object.

    Args:
        found: The objects.
        chunks: The chunks of those in chunks, by address.
    """
    parts = [(chunk.offset, chunk.offset + chunk.size, address) for address, each in chunks.items() for chunk in each]
    reached = [dataset for address, dataset in found.datasets.items() if address in found.reached]
    structure = [(start, stop, _STRUCTURE) for start, stop in found.window.structure]
    sure = [part for part in parts if part[2] in found.reached]
    first = _sharing([*_values(reached), *sure, *structure[: found.reached_structure]])
    every = _sharing([*_values(found.datasets.values()), *parts, *structure])
    return first | (every - found.reached)


def _values(datasets: Iterable[FoundDataset]) -> list[Span]:
    return [
        (dataset.offset, dataset.offset + dataset.size, dataset.address)
        for dataset in datasets
        if dataset.layout not in {CHUNKED, COMPACT} and dataset.offset != UNDEFINED and dataset.size
    ]


def _sharing(spans: list[Span]) -> frozenset[int]:
    """The datasets among spans that share a byte with another span."""
    found: set[int] = set()
    reach, holder = 0, _STRUCTURE
    for start, stop, address in sorted(span for span in spans if span[0] < span[1]):
        if start < reach:
            found.update((address, holder))
        if stop > reach:
            reach, holder = stop, address
    return frozenset(found - {_STRUCTURE})

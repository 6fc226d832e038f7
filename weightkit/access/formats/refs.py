"""Turn named datasets into the weight references of a store."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.names.naming import Stored, require_short
from weightkit.access.quantized_layers import with_plain_helpers
from weightkit.access.ref import Kind, WeightRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weightkit.access.configured import Configured
    from weightkit.access.hdf5.index import Dataset, Index
    from weightkit.access.names.naming import Naming

_LARGEST_ELEMENT = (1 << 31) - 1  # bytes, for NumPy


def stored(datasets: Mapping[str, Dataset]) -> list[Stored]:
    """What naming needs to know about datasets, by structural address."""
    return [Stored(structure, dataset.shape or (), dtype_of(dataset).name) for structure, dataset in datasets.items()]


def refs_of(namings: Iterable[Naming], datasets: Mapping[str, Dataset]) -> dict[WeightRef, Dataset]:
    """A reference to each weight, in the order of the namings, with its dataset; duplicates are counted."""
    seen: Counter[tuple[object, ...]] = Counter()
    refs = {}
    for naming in namings:
        dataset = datasets[naming.structure]
        address = (naming.layer, naming.near, naming.name)
        seen[address] += 1
        ref = WeightRef(
            structure=naming.structure,
            layer=naming.layer,
            index=naming.index,
            name=naming.name,
            # A null dataspace holds no element; () would be a scalar.
            shape=(0,) if dataset.shape is None else dataset.shape,
            dtype=dtype_of(dataset),
            kind=naming.kind,
            layer_class=naming.layer_class and require_short(naming.layer_class),
            trainable=naming.trainable,
            known_from=naming.known_from,
            duplicate=seen[address] if naming.name is not None else 1,
            near=naming.near,
            around=naming.around,
            stored_as=_other_type(dataset),
        )
        refs[ref] = dataset
    # Names alone do not say that a layer is quantized.
    return dict(zip(with_plain_helpers([*refs], Kind.UNKNOWN), refs.values(), strict=True))


def configured_of(namings: Iterable[Naming]) -> dict[str, Configured]:
    """The configurations of the weights' layers, by structural address, where known."""
    return {naming.structure: naming.configured for naming in namings if naming.configured is not None}


def dtype_of(dataset: Dataset) -> np.dtype:
    """The type of a dataset's values; raw bytes for anything that is not a plain number, such as text."""
    plain = dataset.numpy_dtype
    if plain is not None:
        return plain
    return np.dtype(f"V{dataset.element if dataset.element <= _LARGEST_ELEMENT else 1}")


def _other_type(dataset: Dataset) -> str | None:
    """The name of a type that is not a plain number; None for numbers."""
    return dataset.other_type if dataset.numpy_dtype is None else None


def with_other_names(index: Index, datasets: Iterable[Dataset]) -> frozenset[str]:
    """The paths of datasets and of all hard links to them: a weight may have several paths."""
    paths = {dataset.path for dataset in datasets}
    return frozenset(paths | {alias for alias, of in index.aliases.items() if of in paths})

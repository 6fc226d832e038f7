"""The planned index of a new file, from the old file's index and the changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import ml_dtypes

from weightkit.access.hdf5.index import Attribute, Dataset, Group, Index
from weightkit.errors import UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np

    from weightkit.access.changes import AttributeValue, Changes

_REFERS = ""  # the reading process's digest for a value that refers to other places
_SET_HERE = "set here"
_HINT = "edit it without changes of structure, or rewrite it with h5py as plain data"
_Thing = TypeVar("_Thing")
_Entry = TypeVar("_Entry", Group, Dataset)


def planned(index: Index, types: Mapping[str, np.dtype], changes: Changes) -> Index:
    """The objects of the new file; the offsets of their values are still those of the old file.

    Args:
        index: What the old file holds.
        types: New types of datasets by their path.
        changes: What is dropped, and which attributes change.

    Raises:
        UnsupportedFileError: Something that stays cannot be copied into a new file.
    """
    groups = {path: _with_attributes(group, changes) for path, group in index.groups.items()}
    datasets = {path: _retyped(_with_attributes(d, changes), types.get(path)) for path, d in index.datasets.items()}
    gone = changes.dropped
    new = Index(index.length, _kept(groups, gone), _kept(datasets, gone), _kept(index.aliases, gone))
    _rename_survivors(new, groups, datasets)
    entries: tuple[Group | Dataset, ...] = (*new.groups.values(), *new.datasets.values())
    for entry in entries:
        _require_portable(entry)
    return new


def is_gone(path: str, dropped: frozenset[str]) -> bool:
    """Whether an object, or a group around it, was dropped."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in dropped for count in range(1, len(parts) + 1))


def described(
    index: Index, changes: Changes, types: Mapping[str, np.dtype], changing: Collection[str] = ()
) -> dict[str, tuple[object, ...]]:
    """Everything that must be equal in two files with different layouts: all but offsets and sizes.

    Args:
        index: What a file holds.
        changes: Changed attributes are compared by text, since weightkit chooses their types.
        types: Datasets whose type changes: their fill value changes with it.
        changing: Datasets whose values change.
    """
    described: dict[str, tuple[object, ...]] = {path: ("alias", of) for path, of in index.aliases.items()}
    for path, group in index.groups.items():
        described[path] = ("group", group.form, _comparable(group.attributes, changes.attributes.get(path, {})))
    for path, dataset in index.datasets.items():
        attributes = _comparable(dataset.attributes, changes.attributes.get(path, {}))
        kind = (dataset.dtype, dataset.element, dataset.layout, dataset.filters, dataset.form)
        fill, content = "" if path in types else dataset.fill, "" if path in changing else dataset.content
        described[path] = (dataset.shape, *kind, fill, content, attributes)
    return described


def type_code(dtype: np.dtype) -> str:
    """NumPy's code of a type, as the file layer writes it: bfloat16 is two opaque bytes."""
    return "|V2" if dtype == ml_dtypes.bfloat16 else dtype.str


def _kept(objects: Mapping[str, _Thing], dropped: frozenset[str]) -> dict[str, _Thing]:
    return {path: thing for path, thing in objects.items() if not is_gone(path, dropped)}


def _rename_survivors(new: Index, groups: Mapping[str, Group], datasets: Mapping[str, Dataset]) -> None:
    """A dataset with several names that loses its first one goes by the next one."""
    heirs: dict[str, str] = {}
    for path, of in list(new.aliases.items()):
        if of in new.groups or of in new.datasets:
            continue
        if of in groups:
            raise UnsupportedFileError(f"{path}: it is another name of the group {of}, which is dropped", hint=_HINT)
        if of in heirs:
            new.aliases[path] = heirs[of]
        else:
            heirs[of] = path
            new.datasets[path] = replace(datasets[of], path=path)
            del new.aliases[path]


def _require_portable(entry: Group | Dataset) -> None:
    for attribute in entry.attributes:
        if attribute.digest == _REFERS:
            raise UnsupportedFileError(
                f"{entry.path or '/'}: its attribute {attribute.name} refers to other places in the file, "
                f"and cannot be copied into a new one",
                hint=_HINT,
            )
    if isinstance(entry, Dataset) and entry.refers:
        raise UnsupportedFileError(
            f"{entry.path}: its type is {entry.dtype.strip('<>')}, which cannot be copied into a new file", hint=_HINT
        )


def _retyped(dataset: Dataset, dtype: np.dtype | None) -> Dataset:
    return dataset if dtype is None else replace(dataset, dtype=type_code(dtype), element=dtype.itemsize)


def _with_attributes(entry: _Entry, changes: Changes) -> _Entry:
    changed = changes.attributes.get(entry.path)
    return replace(entry, attributes=_changed(entry.attributes, changed)) if changed else entry


def _changed(attributes: Sequence[Attribute], changed: Mapping[str, AttributeValue]) -> tuple[Attribute, ...]:
    kept = [attribute for attribute in attributes if attribute.name not in changed]
    set_here = [
        # An empty list is written as Keras writes it, without text, and is reported without text.
        Attribute(name, _SET_HERE, tuple(value) or None if isinstance(value, list) else value)
        for name, value in changed.items()
        if value is not None
    ]
    return (*kept, *set_here)


def _comparable(attributes: Sequence[Attribute], changed: Mapping[str, AttributeValue]) -> tuple[object, ...]:
    # Sorted: a plan has the attributes that it sets at the end, a scan has them by name.
    return tuple(sorted((a.name, a.text if a.name in changed else a.digest) for a in attributes))

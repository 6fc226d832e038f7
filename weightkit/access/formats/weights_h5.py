"""``.weights.h5`` of Keras 2.12 to 3, and the member of a ``.keras`` archive: variables by object path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weightkit.access.files.filestore import Contents
from weightkit.access.formats.refs import refs_of, stored
from weightkit.access.names.objects import name_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.files.index import Index

_VARIABLES = "vars"
_ROOTS = {"layers", "_layer_checkpoint_dependencies", _VARIABLES}


def recognises(index: Index) -> bool:
    """Whether this is a version-3 file: its groups are objects, whose variables lie in ``vars``."""
    top = {path for path in index.groups if path and "/" not in path}
    variables = [path for path in index.groups if path.rsplit("/", 1)[-1] == _VARIABLES]
    return bool(variables) and (bool(top & _ROOTS) or any(_is_variable(path) for path in index.datasets))


def contents(
    index: Index,
    config: Mapping[str, Any] | None = None,
    keras_version: str | None = None,
    name: str = "Keras weights, version 3",
) -> Contents:
    """The weights of a version-3 file; with the model's configuration, by the names it gives."""
    namings, ordered = name_objects(stored(index.datasets), _object_names(index), config)
    return Contents(
        format=name,
        keras_version=keras_version,
        weights=refs_of(namings, index.datasets),
        ordered=ordered,
        config=config,
    )


def _is_variable(path: str) -> bool:
    parts = path.split("/")
    return parts[-2:-1] == [_VARIABLES] and parts[-1].isdecimal()


def _object_names(index: Index) -> dict[str, str]:
    """The names of objects by path; Keras stores them on their ``vars`` groups since 3.6."""
    names = {}
    for path in index.groups:
        parent, _, last = path.rpartition("/")
        name = index.attributes(path).get("name") if last == _VARIABLES else None
        if isinstance(name, str):
            names[parent] = name
    return names

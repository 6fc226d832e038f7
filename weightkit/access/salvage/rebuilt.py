"""The new HDF5 file of what is whole: the groups, attributes and lists of names that were found, and whole weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weightkit.access.files.openfile import read_exactly
from weightkit.access.hdf5.writing.new_file import Attributes, Fresh, Stretch, fill
from weightkit.access.salvage.places import LAYERS, UNNAMED, WEIGHTS, joined, split_list
from weightkit.access.salvage.remains import State, digest_of
from weightkit.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from weightkit.access.hdf5.index import Index
    from weightkit.access.salvage.places import Places
    from weightkit.access.salvage.remains import Remains, Remnant
    from weightkit.access.salvage.structure.attributes import Text


def write_rebuilt(fd: int, start: int, remains: Remains, name: str) -> int:
    """Write what is whole as an HDF5 file, from ``start`` of an open file on, and read it back.

    Returns:
        Its bytes.

    Raises:
        MachineError: The system failed, or what is read back is not what was found.
    """
    fresh, whole = _contents(remains)
    index = fill(fd, fresh, name, start)
    for remnant in whole:
        if _digest_of(fd, start, index, remnant) != remnant.digest:
            raise MachineError(f"{remnant.structure}: what was written differs from what was read", hint="try again")
    return index.length


def size_of(remains: Remains) -> int:
    """About how many bytes it will have."""
    return sum(remnant.nbytes for remnant in remains.remnants if remnant.state is State.WHOLE)


def loses_order(known: Places) -> bool:
    """Whether the list of the layers of a legacy file is lost, so that the new one has them in the file's order."""
    return known.is_legacy and _layers(known) is None


def _contents(remains: Remains) -> tuple[Fresh, list[Remnant]]:
    whole = [remnant for remnant in remains.remnants if remnant.state is State.WHOLE]
    known, paths = remains.places, {remnant.structure for remnant in whole}
    needed = {above for path in paths for above in _above(path)}
    kept = {path for path in known.groups if path.split("/")[0] != UNNAMED and path not in paths}
    kept |= {above for path in kept for above in _above(path)}
    groups: dict[str, Attributes] = {}
    for path in sorted({"", known.top, *needed, *kept}, key=lambda path: (path.count("/") + bool(path), path)):
        found = known.groups.get(path)
        groups[path] = _listing(path, found.attributes if found else {}, paths, known)
    if loses_order(known):
        groups[known.top] = {**groups[known.top], LAYERS: _layers_in_order(known)}
    datasets: dict[str, np.ndarray | Stretch] = {}
    attributes: dict[str, Attributes] = {}
    for remnant in whole:
        piece, path = remnant.piece, remnant.structure
        where = (piece.fd, piece.offset) if piece else (-1, 0)
        datasets[path] = Stretch(*where, remnant.dtype, remnant.shape or (), remnant.nbytes)
        attributes[path] = _text(remains.survey.datasets[known.datasets[path]].attributes)
    return Fresh(groups, datasets, attributes), whole


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _text(attributes: Mapping[str, Text | None]) -> dict[str, str | list[str]]:
    return {
        name: value if isinstance(value, str) else list(value)
        for name, value in attributes.items()
        if value is not None
    }


def _listing(path: str, attributes: Mapping[str, Text | None], whole: set[str], known: Places) -> Attributes:
    """The attributes of a group, whose lists name what the new file holds."""
    kept = _text(attributes)
    for name, value in kept.items():
        names = [value] if isinstance(value, str) else value
        if re.fullmatch(rf"{WEIGHTS}\d*", name):
            kept[name] = [weight for weight in names if joined(path, weight) in whole]
        elif re.fullmatch(rf"{LAYERS}\d*", name) and path == known.top:
            kept[name] = [layer for layer in names if joined(path, layer) in known.groups]
    return kept


def _layers(known: Places) -> tuple[str, ...] | None:
    group = known.groups.get(known.top)
    return split_list(group.attributes, LAYERS) if group else None


def _layers_in_order(known: Places) -> list[str]:
    """The layers as they lie in the file, which is the order in which Keras writes them."""
    inside = f"{known.top}/" if known.top else ""
    layers = {
        path.removeprefix(inside): group.address
        for path, group in known.groups.items()
        if path.startswith(inside) and path and split_list(group.attributes, WEIGHTS) is not None
    }
    return sorted(layers, key=lambda name: layers[name])


def _digest_of(fd: int, start: int, index: Index, remnant: Remnant) -> str:
    offset = index.datasets[remnant.structure].offset
    first = start + (offset or 0)  # an empty weight has no place
    return digest_of(lambda buffer, place: read_exactly(fd, buffer, first + place, ""), remnant.nbytes)

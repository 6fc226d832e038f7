"""Names of the weights of a version-3 file: a ``.weights.h5``, or the weights in a ``.keras`` archive.

Such a file stores weights by position: ``layers/dense_1/vars/0``. The layers' own names are attributes (Keras 3.6
and later) or in ``config.json``; names such as ``kernel`` are not stored. They follow from the layer's class and
configuration or, without a configuration, from a key that is a class, if the arrays fit only one reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from weightkit.access.names import by_config, by_key, class_weights, optimizer
from weightkit.access.names.by_config import Walk
from weightkit.access.names.keys import key_base
from weightkit.access.names.naming import Naming, Stored, layer_path
from weightkit.access.names.object_tree import Node, grow, index_of, name_of
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from weightkit.access.names.by_key import Read
    from weightkit.access.names.class_table import NamedWeight


class Named(NamedTuple):
    """What is known about the weights of a version-3 file."""

    namings: list[Naming]
    """A Naming for every dataset, in the model's order where it is known."""
    ordered: bool
    """Whether that order is known."""
    stale: dict[str, str]
    """By layer path: names that layers have in the HDF5 alone, and the configuration overrules."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object is: the names of the layers around it and its own."""

    path: str | None
    """None where one is not known."""
    near: tuple[str, ...]
    """The same, with a slash and the file's key for each that is not known."""
    classes: tuple[str | None, ...]
    """Their classes."""


def name_objects(
    variables: Sequence[Stored], object_names: Mapping[str, str], config: Mapping[str, Any] | None
) -> Named:
    """Name each dataset of a version-3 file as far as possible.

    Args:
        variables: The datasets, in any order; ``structure`` has no leading slash.
        object_names: An object's path (``layers/dense_1``, empty for the model) to its ``name`` in the file; empty for
            files before Keras 3.6.
        config: The parsed ``config.json`` of a ``.keras`` archive; None for a bare ``.weights.h5``.
    """
    root = grow(variables)
    walked = by_config.walk(root, config, object_names) if isinstance(config, Mapping) else Walk(object_names)
    reads = _reads(root, walked)
    places = _places(root, walked)
    training = optimizer.of(root, config)
    nodes = [claim.node for claim in walked.claims.values() if claim.node.path not in training]
    ordered = walked.ordered and isinstance(config, Mapping) and _covers(root, walked, training)
    rest = (node for node in root.below() if node.path not in walked.claims)
    late = (node for node in root.below() if node.path in training and node.path in walked.claims)
    namings: list[Naming] = []
    # What training saves comes last: it belongs to no layer.
    for node in chain(nodes, sorted(rest, key=lambda node: node.path in training), late):
        namings += training.get(node.path) or _of(node, places[node.path], walked, reads)
    stale = {layer: name for path, name in walked.stale.items() if (layer := places[path].path) is not None}
    return Named(namings + list(_outside(variables, namings)), ordered, stale)


def _reads(root: Node, walked: Walk) -> dict[str, Read]:
    """What keys say about objects that the configuration does not describe."""
    found: dict[str, Read] = {}
    for node in by_key.candidates(root, walked.names):
        if node.path not in walked.claims:
            found |= {read.node.path: read for read in by_key.read(node) if read.node.path not in walked.claims}
    return found


def _covers(root: Node, walked: Walk, training: Mapping[str, Any]) -> bool:
    """Whether the configuration gives every object with weights its position."""
    return all(node.path in walked.claims or node.path in training or not node.has_weights for node in root.below())


def _places(root: Node, walked: Walk) -> dict[str, _Place]:
    """Where each object is: the names of the objects around it and its own, without the model's."""
    found: dict[str, _Place] = {"": _Place("", (), ())}
    for node in root.below():
        above = found[node.path]
        for child in node.children.values():
            name = _name(child, walked)
            path = None if name is None or above.path is None else layer_path((above.path, name))
            steps = (f"/{child.key}",) if name is None else tuple(filter(None, name.split("/")))
            classes = (*[None] * (len(steps) - 1), _class_of(child, name, walked)) if steps else ()
            found[child.path] = _Place(path, above.near + steps, above.classes + classes)
    return found


def _class_of(node: Node, name: str | None, walked: Walk) -> str | None:
    """The class of an object; of one that only a list of layers holds, the key of its class if its name shows it."""
    claim = walked.claims.get(node.path)
    if claim is not None:
        return claim.layer_class
    in_list = node.path.rpartition("/")[0].rpartition("/")[2] in by_key.LISTS
    base = key_base(node.key)
    return base if in_list and name is not None and key_base(name) == base else None


def _name(node: Node, walked: Walk) -> str | None:
    """An object's own name; empty for a list of layers, which adds nothing to a path; None where unknown."""
    stored = walked.names.get(node.path)
    if stored and node.path not in walked.stale:
        return stored
    claim = walked.claims.get(node.path)
    if claim is not None:
        return claim.name
    # A file that names its objects names them all: an object without a name is a list, unless it has weights.
    is_list = node.path in walked.containers or node.key in by_key.LISTS or bool(walked.names)
    return "" if is_list and not node.has_weights else None


def _of(node: Node, place: _Place, walked: Walk, reads: Mapping[str, Read]) -> Iterator[Naming]:
    """The namings of one object's weights."""
    claim, read = walked.claims.get(node.path), reads.get(node.path)
    if claim is not None:
        weights, layer_class, source = claim.weights, claim.layer_class, Source.CONFIG
    elif read is not None:
        weights, layer_class, source = read.weights, read.class_name, Source.KEY
    else:
        weights, layer_class, source = None, None, Source.FILE
    configured = None if claim is None else claim.configured
    own = Naming(
        "", len(node.variables), place.path, layer_class=layer_class, known_from=source, configured=configured,
        near=place.near if place.path is None else (), around=place.classes,
    )  # fmt: skip
    for position, (index, stored) in enumerate(zip(node.indices, node.variables, strict=True)):
        if weights is None:
            yield replace(own, structure=stored.structure, index=index, known_from=None)
            continue
        weight = weights[position]
        trainable = _trainable(weight, claim)
        yield replace(
            own, structure=stored.structure, index=index, name=weight.name, kind=weight.kind, trainable=trainable
        )
    yield from _with_names(node, replace(own, known_from=Source.FILE))


def _with_names(node: Node, whose: Naming) -> Iterator[Naming]:
    """The namings of what an object saves under names: these are in the file, and the class tells their kinds."""
    for place, stored in enumerate(node.named):
        name = name_of(stored.structure)
        integer = stored.dtype.startswith(("int", "uint", "bool"))
        kind = class_weights.kind_of_name(name or "", whose.layer_class, integer=integer)
        trainable = None if kind in {Kind.PARAMETER, Kind.UNKNOWN} else False
        index = whose.index + place
        yield replace(whose, structure=stored.structure, index=index, name=name, kind=kind, trainable=trainable)


def _trainable(weight: NamedWeight, claim: by_config.Claim | None) -> bool | None:
    """Whether a weight is trained, by its layer's flag; None where no configuration says."""
    if claim is None:
        return None
    if weight.kind is not Kind.PARAMETER or weight.name in claim.frozen:
        return False
    return claim.trainable


def _outside(variables: Sequence[Stored], namings: Sequence[Naming]) -> Iterator[Naming]:
    """The datasets that are not an object's weights."""
    named = {naming.structure for naming in namings}
    for stored in variables:
        if stored.structure not in named:
            yield Naming(stored.structure, index_of(stored.structure) or 0)

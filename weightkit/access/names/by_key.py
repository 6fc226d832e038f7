"""Names from the format's own path: a key in a list of layers comes from its layer's class.

A key outside such a list is an attribute's name and says nothing: ``self.dense = Embedding(…)`` is stored at
``dense/vars/0``. A custom class may have the name of a built-in one, so the arrays must fit, and ``known_from`` says
that the key was trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.names import class_weights, keys, reading
from weightkit.access.names.class_table import NamedWeight
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.names.class_table import Case, Child
    from weightkit.access.names.object_tree import Node
    from weightkit.access.names.reading import Weights

LISTS = ("layers", "_layer_checkpoint_dependencies")
"""The groups in which keys are classes: a model's list of layers, in Keras 3 and in 2.12 to 2.13."""

SEED = "seed_generator"
"""Some versions of Keras 3 save a layer's seeds below it."""

SEED_WEIGHT = NamedWeight("seed_generator_state", Kind.STATE, 1, integer=True, dimensions=("2",))


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from one object's key."""

    node: Node
    class_name: str
    weights: Weights


def candidates(root: Node, names: Mapping[str, str]) -> Iterator[Node]:
    """The nodes whose keys are classes: children of lists of layers."""
    for node in root.below():
        # An object at ``layers`` is an attribute of that name, and its children are attributes.
        if node.key in LISTS and not node.variables and node.path not in names:
            yield from node.children.values()


def read(node: Node) -> list[Read]:
    """The only reading of a node and everything below it as the class of its key; empty if there is none."""
    class_name = keys.class_of_key(node.key)
    layer_class = class_weights.find(class_name) if class_name else None
    if class_name is None or layer_class is None:
        return []
    free_below = {attribute.lstrip("_") for attribute in layer_class.wraps}
    return _only(_readings(node, class_name, list(layer_class.cases), free_below))


def seeds(node: Node) -> list[Read]:
    """Saved seeds directly below a built-in layer."""
    found = (child for key, child in node.children.items() if key.strip("_").endswith(SEED))
    return [Read(child, "SeedGenerator", (SEED_WEIGHT,)) for child in found if _is_seed(child)]


def _is_seed(node: Node) -> bool:
    return not node.children and reading.fits((SEED_WEIGHT,), node)


def _readings(node: Node, class_name: str, cases: list[Case], free: set[str]) -> Iterator[list[Read]]:
    """Every way to read a node as this class, with its sublayers."""
    for case in cases:
        if reading.fits(case.weights, node) and _nothing_else(node, case, free):
            below = [_child(node, child) for child in case.children]
            if all(below):
                own = [Read(node, class_name, case.weights)] if node.has_weights else []
                yield own + [one for reads in below for one in reads] + seeds(node)


def _child(node: Node, child: Child) -> list[Read]:
    """The only reading of a fixed sublayer, whose flags come from the layer's own case."""
    below = node.at(child.path)
    if below is None:
        return []
    cases = class_weights.cases_of(child.class_name, child.config)
    return _only(_readings(below, child.class_name, cases, set()))


def _nothing_else(node: Node, case: Case, free: set[str]) -> bool:
    """Whether everything below a node is a sublayer of the case, a seed, or a wrapper's wrapped layer."""
    expected = {child.path.lstrip("_") for child in case.children} | free
    return all(key.lstrip("_") in expected or _is_seed(child) for key, child in node.children.items())


def _only(readings: Iterator[list[Read]]) -> list[Read]:
    """The only reading, if all that fit give the same names and kinds for the same objects; else empty."""
    found = {
        tuple((read.node.path, read.class_name, reading.names_and_kinds(read.weights)) for read in reads): reads
        for reads in readings
    }
    return next(iter(found.values())) if len(found) == 1 else []

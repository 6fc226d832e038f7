"""The objects of a version-3 file as a tree: ``a/b/vars/0`` is weight 0 of object ``a/b``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.names.naming import Stored

MAX_DEPTH = 64
"""Levels of groups; anything deeper stays unknown."""

_MAX_DIGITS = 9
"""Most digits of a weight's number; Keras counts from 0."""


@dataclass(slots=True, eq=False)
class Node:
    """One object or container of a file."""

    path: str
    """Without the trailing ``vars``; empty for the root."""
    key: str
    children: dict[str, Node] = field(default_factory=dict)
    variables: list[Stored] = field(default_factory=list)
    """The object's own weights, in its save order."""
    indices: list[int] = field(default_factory=list)
    named: list[Stored] = field(default_factory=list)
    """What the object saves under names of its own, such as ``vars/idf_weights``, not under numbers."""

    def at(self, path: str) -> Node | None:
        """The node at a path below this one; ``_query_dense`` also answers to ``query_dense``.

        Keras versions renamed private attributes of layers to public ones, and the other way.
        """
        node: Node | None = self
        for key in path.split("/"):
            if node is None:
                return None
            bare = key.lstrip("_")
            node = node.children.get(key) or node.children.get(bare) or node.children.get("_" + bare)
        return node

    def below(self) -> Iterator[Node]:
        """This node and all nodes below it, parents first, without recursion."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children.values()))

    @property
    def has_weights(self) -> bool:
        """Whether the object saves anything itself."""
        return bool(self.variables or self.named)

    @property
    def whole(self) -> bool:
        """Whether the weights are numbered 0, 1, 2, … without a gap."""
        return self.indices == list(range(len(self.indices)))


def grow(variables: Sequence[Stored]) -> Node:
    """Build the tree; a dataset whose path is not an object's weight is left out."""
    root = Node("", "")
    for stored in variables:
        index = index_of(stored.structure)
        keys = stored.structure.split("/")[:-2]
        if (index is None and name_of(stored.structure) is None) or len(keys) > MAX_DEPTH:
            continue
        node = root
        for key in keys:
            child = node.children.get(key)
            if child is None:
                child = node.children[key] = Node(f"{node.path}/{key}" if node.path else key, key)
            node = child
        if index is None:
            node.named.append(stored)
            continue
        node.variables.append(stored)
        node.indices.append(index)
    for node in root.below():
        _sort(node)
    return root


def index_of(structure: str) -> int | None:
    """The 3 of ``layers/dense/vars/3``; None where a path has another ending."""
    key = _key_of(structure)
    return None if key is None else place_of(key)


def name_of(structure: str) -> str | None:
    """The ``idf_weights`` of ``layers/string_lookup/vars/idf_weights``; None for a number, or another ending."""
    key = _key_of(structure)
    return None if key is None or key.isdecimal() else key


def _key_of(structure: str) -> str | None:
    group, _, key = structure.rpartition("/")
    return key if group == "vars" or group.endswith("/vars") else None


def place_of(number: str) -> int | None:
    """A place in a list, written as a name; None for any other name, and for more digits than a place has."""
    # `isdecimal` alone accepts the digits of other scripts.
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS else None


def _sort(node: Node) -> None:
    """Order an object's weights by number: as text, 10 comes before 2."""
    order = sorted(range(len(node.indices)), key=node.indices.__getitem__)
    node.variables = [node.variables[i] for i in order]
    node.indices = [node.indices[i] for i in order]

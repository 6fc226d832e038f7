"""Names from ``config.json``: walk the configuration and the tree of the file together.

The arrays decide: where they contradict the table's entry for the class, nothing is claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from weightkit.access.configured import Configured
from weightkit.access.names import by_key, class_weights, reading, weightkit_layers, wrapper
from weightkit.access.names.class_table import canonical
from weightkit.access.names.layer_list.places import is_key_of, named, paired
from weightkit.access.names.object_tree import MAX_DEPTH, Node, place_of
from weightkit.access.names.serialized_layer import Serialized, serialized

if TYPE_CHECKING:
    from weightkit.access.names.reading import Weights

_MOST_VALUES = 5_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """What the configuration says about one object."""

    node: Node
    layer_class: str
    name: str | None
    """The layer's own name."""
    weights: Weights | None
    """None where the class is not Keras' own."""
    trainable: bool | None
    """The layer's flag."""
    configured: Configured | None
    """None if it has no configuration."""
    frozen: frozenset[str] = frozenset()
    """Weights that LoRA has frozen."""


@dataclass(slots=True)
class Walk:
    """One walk over a configuration and a file."""

    names: Mapping[str, str]
    """An object's path to its name in the file."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """By path, in the model's order."""
    containers: set[str] = field(default_factory=set)
    """Paths of groups that are lists of layers, not objects."""
    absent: dict[str, frozenset[int]] = field(default_factory=dict)
    """By path: positions of weights that a built-in layer does not save, because another layer owns them."""
    stale: dict[str, str] = field(default_factory=dict)
    """By path: names in the HDF5 that the configuration overrules."""
    left: int = _MOST_VALUES
    """How many values in configurations may still be read to find the layers of classes that are not Keras' own."""
    ordered: bool = True
    """False once an object is found whose order the configuration does not give."""

    def claim(
        self,
        node: Node,
        layer: Serialized,
        name: str | None,
        trainable: bool | None = None,
        maker: Serialized | None = None,
    ) -> None:
        """Claim an object as a layer of the configuration, and go on below it; ``maker`` is the layer that made it."""
        if node.path in self.claims:
            return
        flag = layer.config.get("trainable")
        # A sublayer without a flag of its own goes by that of its layer.
        trainable = flag if isinstance(flag, bool) else trainable
        known = class_weights.find(layer.class_name) if layer.builtin else None
        own = weightkit_layers.find(layer)
        weights = self._weights(node, layer) if known else None
        if wrapper.is_wrapper(layer):
            weights = reading.only_these(wrapper.added_weights(layer.config), node)
        elif own:
            weights = reading.only_fit(class_weights.cases_in(own, layer.config), node)
        # The arrays contradict the class, and the file's own name does not confirm the layer.
        if known and weights is None and self.names.get(node.path, "") != name:
            return
        frozen = known.lora if known and layer.config.get("lora_rank") else frozenset[str]()
        class_name = canonical(layer.class_name) if known else layer.class_name
        config = (maker or layer).config
        configured = Configured(class_name, config, builtin=known is not None, package=layer.package)
        self.claims[node.path] = Claim(node, class_name, name, weights, trainable, configured, frozen)
        if known:
            self._fixed(node, layer, trainable)
        elif wrapper.is_wrapper(layer):
            self._wrapped(node, layer, trainable)
        elif own:
            self._seeds(node, trainable)
        else:
            self._listed(node, layer)
            self._attributes(node, layer)

    def _claim_named(self, node: Node, layer: Serialized, name: str | None, trainable: bool | None = None) -> None:
        """Claim an object whose name the configuration has; another name in the HDF5 is then stale, as for Keras."""
        self.claim(node, layer, name, trainable)
        stored = self.names.get(node.path)
        if node.path in self.claims and stored is not None and name not in {None, stored}:
            self.stale[node.path] = stored

    def _fixed(self, node: Node, layer: Serialized, trainable: bool | None) -> None:
        """The sublayers of a built-in layer."""
        for child in class_weights.children(layer.class_name, layer.config) or ():
            below = node.at(child.path)
            if below is not None:
                above = below.path.split("/")[: -1 - child.path.count("/")]
                inner = below.path.split("/")[len(above) : -1]
                # The groups on the way, such as `cells` in `cells/lstm_cell_1`, are lists.
                self.containers |= {"/".join(above + inner[: i + 1]) for i in range(len(inner))}
                inner_layer = Serialized(child.class_name, child.config, child.builtin, child.package)
                # Bidirectional names its copies, but not a backward layer that was given.
                if child.fixed or self.names.get(below.path) == inner_layer.name:
                    self.claim(below, inner_layer, child.name, trainable, layer if child.fixed else None)
                else:
                    self._claim_named(below, inner_layer, child.name, trainable)
        self._seeds(node, trainable)

    def _seeds(self, node: Node, trainable: bool | None) -> None:
        for seed in by_key.seeds(node):
            self.claims[seed.node.path] = Claim(seed.node, seed.class_name, by_key.SEED, seed.weights, trainable, None)

    def _weights(self, node: Node, layer: Serialized) -> Weights | None:
        absent = self.absent.get(node.path)
        if absent is None:
            return reading.weights_by_config(node, layer.class_name, layer.config)
        return reading.weights_without(absent, node, layer.class_name, layer.config)

    def _wrapped(self, node: Node, layer: Serialized, trainable: bool | None) -> None:
        """The layer inside a ``Parametrized`` wrapper, without the weights it does not save or train."""
        below, inside = node.children.get(wrapper.INNER), serialized(layer.config.get(wrapper.INNER))
        self._seeds(node, trainable)
        if below is None or inside is None:
            return
        told = wrapper.inner_of(layer.config)
        # Before the layer inside is claimed, which is then read without these weights.
        for path, places in _by_object(below.path, told.tied).items():
            self.absent[path] = places
        self._claim_named(below, inside, inside.name, trainable)
        for path, places in _by_object(below.path, told.frozen).items():
            claim = self.claims.get(path)
            if claim is not None and claim.weights is not None:
                names = frozenset(w.name for place, w in enumerate(claim.weights) if place in places)
                self.claims[path] = replace(claim, frozen=claim.frozen | names)

    def _listed(self, node: Node, layer: Serialized) -> None:
        """The layers of a Functional or Sequential model."""
        for key in by_key.LISTS:
            group = node.children.get(key)
            if group is not None and not group.variables and group.path not in self.names:
                self.containers.add(group.path)
                for below, one in paired(group, layer, self.names):
                    self._claim_named(below, one, one.name)

    def _attributes(self, scope: Node, layer: Serialized) -> None:
        """Layers in attributes of a class that is not Keras' own, by their names in the file.

        Such a class may store its sublayers' configurations anywhere in its own. A name that occurs twice below
        the object, or for two different layers there, is not used.
        """
        left = [node for node in self._unclaimed(scope) if node.path in self.names]
        if not left:
            return
        by_name = named(list(self._inside(layer.config)))
        seen: dict[str, int] = defaultdict(int)
        for node in scope.below():
            seen[self.names.get(node.path, "")] += 1
        for node in left:
            name = self.names[node.path]
            one = by_name.get(name)
            if one is not None and seen[name] == 1 and self._may_be(node, one):
                self.ordered = False
                self.claim(node, one, name)

    def _inside(self, config: Mapping[str, Any]) -> Iterator[Serialized]:
        """Every named layer anywhere in a configuration; none once too much was read, since nested ones repeat it."""
        for one in _anywhere(config):
            self.left -= 1
            if self.left < 0:
                return
            if one is not None and one.name is not None:
                yield one

    def _unclaimed(self, scope: Node) -> Iterator[Node]:
        """What is below an object, except claimed objects and everything below them."""
        stack = list(scope.children.values())
        while stack:
            node = stack.pop()
            if node.path not in self.claims:
                yield node
                stack.extend(node.children.values())

    def _may_be(self, node: Node, one: Serialized) -> bool:
        """In a list or dict, the key is the class; an attribute's name says nothing."""
        parent = node.path.rpartition("/")[0]
        return not parent or parent in self.names or is_key_of(node.key, one)


def walk(root: Node, config: Mapping[str, Any], names: Mapping[str, str]) -> Walk:
    """Claim the objects of a file that the configuration describes."""
    walked = Walk(names)
    model = serialized(config)
    if model is not None:
        walked.claim(root, model, names.get("", model.name))
    return walked


def _by_object(above: str, structures: Iterable[str]) -> dict[str, frozenset[int]]:
    """``cell/vars/1`` below a path: the weights of each object."""
    found: dict[str, set[int]] = defaultdict(set)
    for structure in structures:
        path, _, number = structure.rpartition("vars/")
        if (place := place_of(number)) is not None:
            found[f"{above}/{path}".rstrip("/")].add(place)
    return {path: frozenset(places) for path, places in found.items()}


def _anywhere(config: Mapping[str, Any]) -> Iterator[Serialized | None]:
    """Every value anywhere in a configuration as a layer, if it is one, without recursion."""
    stack: list[tuple[Any, int]] = [(config, 0)]
    while stack:
        value, depth = stack.pop()
        yield serialized(value)
        # Each level of layers takes several levels of JSON.
        if depth < MAX_DEPTH * 8 and isinstance(value, (Mapping, list)):
            stack.extend((item, depth + 1) for item in (value.values() if isinstance(value, Mapping) else value))

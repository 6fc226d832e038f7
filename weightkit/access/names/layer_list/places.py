"""Which object of a group is which layer of a list: by names where file and configuration agree, else by place.

Keras 3.15 loads by class and number alone. It ignores the names in the HDF5, so where these are others than those of
the configuration, the configuration's name is the layer's.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from weightkit.access.names import class_weights, keys
from weightkit.access.names.layer_list.graph_order import graph_order
from weightkit.access.names.serialized_layer import serialized_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.names.object_tree import Node
    from weightkit.access.names.serialized_layer import Serialized

KERAS_2_LIST = "_layer_checkpoint_dependencies"


def paired(group: Node, model: Serialized, names: Mapping[str, str]) -> list[tuple[Node, Serialized]]:
    """The objects of a group with their layers, in the layers' order.

    Args:
        group: The objects of a model's list of layers.
        model: The configuration with the list.
        names: An object's path to its name in the HDF5.
    """
    layers = serialized_list(model.config.get("layers"))
    places = _places(group, layers)
    if _disagree(group, places, names):
        in_order = _in_order_of_loading(model, layers)
        places = _by_name(group, places, layers, names) if in_order is None else _places(group, in_order)
    elif names:
        places = _by_name(group, places, layers, names)
    found = {id(one): group.children[key] for key, one in places.items() if is_key_of(key, one)}
    return [(found[id(one)], one) for one in layers if id(one) in found]


def _places(group: Node, layers: list[Serialized]) -> dict[str, Serialized]:
    """The layer of each key, by class and number."""
    numbered = _counted(group, layers) if group.key == KERAS_2_LIST else keys.keyed(layers)
    return {key: numbered[key] for key in group.children if key in numbered}


def _disagree(group: Node, places: Mapping[str, Serialized], names: Mapping[str, str]) -> bool:
    """Whether an object has another name in the HDF5 than its layer has in the configuration."""
    told = ((names.get(group.children[key].path), one.name) for key, one in places.items())
    return any(stored is not None and name is not None and stored != name for stored, name in told)


def _by_name(
    group: Node, places: Mapping[str, Serialized], layers: list[Serialized], names: Mapping[str, str]
) -> dict[str, Serialized]:
    """The layer of each key by its name in the HDF5; by place where it has none, or neither name is anywhere else."""
    by_name = named(layers)
    stored = {names[node.path] for node in group.children.values() if node.path in names}
    called = {one.name for one in layers}
    found: dict[str, Serialized] = {}
    for key, node in group.children.items():
        name, place = names.get(node.path), places.get(key)
        if name is None or (name not in called and place is not None and place.name not in stored):
            one = place
        else:
            one = by_name.get(name)
        if one is not None:
            found[key] = one
    return found


def _in_order_of_loading(model: Serialized, layers: list[Serialized]) -> list[Serialized] | None:
    """The layers in the order in which Keras has them once the model is built; None where that is not known."""
    if "output_layers" not in model.config:
        return layers if model.builtin and model.class_name == "Sequential" else None
    order = graph_order(model.config)
    if order is None:
        return None
    # The graph calls a layer by the name beside its configuration, which Keras does not give to the layer.
    by_name = {one["name"]: layer for one, layer in zip(model.config["layers"], layers, strict=False)}
    return [by_name[name] for name in order] if len(by_name) == len(model.config["layers"]) else None


def is_key_of(key: str, layer: Serialized) -> bool:
    """Whether a key in a list of layers is of a layer's class."""
    of_class = keys.keys_of_class(layer.class_name)
    return key in of_class or keys.key_base(key) in of_class


def named(layers: list[Serialized]) -> dict[str, Serialized]:
    """Layers by name; a name of two different layers is left out."""
    found: dict[str, Serialized] = {}
    clashing = set()
    for one in layers:
        if one.name is not None:
            first = found.setdefault(one.name, one)
            if first is not one and _says(first) != _says(one):
                clashing.add(one.name)
    return {name: one for name, one in found.items() if name not in clashing}


def _says(layer: Serialized) -> tuple[Any, ...]:
    """All that is used of a configuration; a shared layer's is written once per use."""
    cases = class_weights.cases_of(
        layer.class_name, layer.config, quantization=class_weights.quantization_mode(layer.config)
    )
    flag = layer.config.get("trainable")
    return (layer.class_name, layer.builtin, flag if isinstance(flag, bool) else None, *map(id, cases))


def _counted(group: Node, layers: list[Serialized]) -> dict[str, Serialized]:
    """Keras 2.13 counts a layer with weights twice (``dense, dense_2, dense_4``): the k-th key is the k-th layer.

    Only if a class has as many keys in the file as layers in the configuration; layers that save nothing have no
    key here.
    """
    stored: dict[str, list[str]] = defaultdict(list)
    for key in group.children:
        stored[keys.key_base(key)].append(key)
    found: dict[str, Serialized] = {}
    for base, of_class in _by_key_base(layers).items():
        # By length first, so that `dense_2` comes before `dense_10`.
        present = sorted(stored[base], key=lambda key: (len(key), key))
        if len(present) == len(of_class):
            found.update(zip(present, of_class, strict=True))
    return found


def _by_key_base(layers: list[Serialized]) -> dict[str, list[Serialized]]:
    found: dict[str, list[Serialized]] = defaultdict(list)
    for one in layers:
        if not _saves_nothing(one):
            for key in keys.keys_of_class(one.class_name):
                found[key].append(one)
    return found


def _saves_nothing(layer: Serialized) -> bool:
    """Whether a built-in layer certainly has no weights."""
    own = class_weights.own_weights(layer.class_name, layer.config) if layer.builtin else None
    return own == () and not class_weights.children(layer.class_name, layer.config)

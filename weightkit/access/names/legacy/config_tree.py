"""The layers of a ``model_config`` as a tree, to look up names.

Understands the configurations of Keras 1, 2 and 3. Any JSON is accepted; anything that is not a layer is skipped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weightkit.builtin import may_be_builtin

_DEEPEST = 64  # levels; deeper layers are ignored, so that every walk up is short
_TWO_SIDED = "Bidirectional"
_LONGEST = 8  # segments of one layer's name, which may contain "/"
_MOST_SIDES = 1  # Bidirectionals around another: each doubles what is in it, or more
_HOLDERS = frozenset({"layers", "layer", "cell", "cells"})  # keys whose values are layers, named or not


@dataclass(slots=True, eq=False)
class ConfiguredLayer:
    """One layer of a configuration, with its place in the tree."""

    name: str | None = None
    """None for a Sequential inside another in Keras 1 and 2.0, and for a layer whose ``get_config`` leaves it out."""
    class_name: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    builtin: bool = True
    """False for a class that is registered by another package, or comes from one."""
    package: str = ""
    """The package under which the class is registered with Keras, if any."""
    lists_layers: bool = False
    """True for a model: every layer in it is one of ``children``."""
    parent: ConfiguredLayer | None = None
    depth: int = 0
    sides: int = 0
    """How many Bidirectionals are around it."""
    order: int = 0
    last: int = 0
    """Orders of the layers inside it run from ``order + 1`` to ``last``."""
    children: list[ConfiguredLayer] = field(default_factory=list)
    by_name: dict[str, ConfiguredLayer | None] = field(default_factory=dict)
    """Children by name; None for a name that two of them have."""

    @property
    def trainable(self) -> bool | None:
        """The layer's own flag, if it is stored."""
        flag = self.config.get("trainable")
        return flag if isinstance(flag, bool) else None

    def up(self) -> Iterator[ConfiguredLayer]:
        """Yield the layer, the one around it, and so on up to the root."""
        layer: ConfiguredLayer | None = self
        while layer is not None:
            yield layer
            layer = layer.parent


class LayerTree:
    """The layers of one model's configuration; its root is the model itself."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._layers: list[ConfiguredLayer] = []
        self.root = _read(config, None, nameless=True) or ConfiguredLayer()
        self._grow()
        self._by_name: dict[str, list[ConfiguredLayer]] = {}
        for layer in self._layers:
            if layer.name is not None and layer.parent is not None:
                self._by_name.setdefault(layer.name, []).append(layer)
        self._longest = min(_LONGEST, max((name.count("/") + 1 for name in self._by_name), default=1))

    def find(self, around: ConfiguredLayer, name: str) -> ConfiguredLayer | None:
        """Find the layer of that name inside another: a direct child, else the only one at any depth."""
        if (child := around.by_name.get(name)) is not None:
            return child
        named = self._by_name.get(name, [])
        first = bisect_right(named, around.order, key=_order)
        return named[first] if bisect_right(named, around.last, key=_order) - first == 1 else None

    def namesakes(self, around: ConfiguredLayer, name: str) -> list[ConfiguredLayer]:
        """All layers of that name inside another, at any depth."""
        named = self._by_name.get(name, [])
        return named[bisect_right(named, around.order, key=_order) : bisect_right(named, around.last, key=_order)]

    def has_namesakes(self, around: ConfiguredLayer, name: str) -> bool:
        """Whether several layers inside another have that name; without listing them."""
        named = self._by_name.get(name, [])
        return bisect_right(named, around.last, key=_order) - bisect_right(named, around.order, key=_order) > 1

    def step(self, around: ConfiguredLayer, scopes: list[str], start: int) -> tuple[ConfiguredLayer, int] | None:
        """Find the layer that the scopes from ``start`` on lead to, and where the rest starts."""
        for stop in range(min(len(scopes), start + self._longest), start, -1):
            name = "/".join(scopes[start:stop])
            found = self.find(around, name) or self.find(around, without_number(name))
            if found is not None:
                return found, stop
        return None

    def tops(self, names: list[str]) -> dict[str, ConfiguredLayer]:
        """Find the layer of each group by name; an unnamed one by its position, if all others agree."""
        found = {name: layer for name in names if (layer := self.find(self.root, name)) is not None}
        # A Sequential's input is in its configuration but not in `layer_names`.
        inner = [child for child in self.root.children if child.class_name != "InputLayer"]
        for children in (self.root.children, inner):
            pairs = list(zip(names, children, strict=False))
            if len(children) == len(names) and all(child.name in (None, name) for name, child in pairs):
                return found | dict(pairs)
        return found

    def _grow(self) -> None:
        """Read all layers in pre-order, without recursion: a configuration may be very deep."""
        todo = [self.root]
        while todo:
            layer = todo.pop()
            layer.order = layer.last = len(self._layers)
            self._layers.append(layer)
            if layer.depth < _DEEPEST:
                layer.children = list(_children(layer))
            for child in layer.children:
                if child.name is not None:
                    layer.by_name[child.name] = None if child.name in layer.by_name else child
            todo.extend(reversed(layer.children))  # the last one is taken first
        # In reverse pre-order, what is inside a layer comes before it.
        for layer in reversed(self._layers):
            if layer.parent is not None:
                layer.parent.last = max(layer.parent.last, layer.last)


def without_number(name: str) -> str:
    """Remove ``_1`` from ``dense_3_1``: TensorFlow's mark of a second scope of one name."""
    stem, _, number = name.rpartition("_")
    return stem if stem and number.isdecimal() else name


def _order(layer: ConfiguredLayer) -> int:
    return layer.order


def _read(entry: object, parent: ConfiguredLayer | None, *, nameless: bool) -> ConfiguredLayer | None:
    """Read ``{"class_name", "config", "name"?}``; None for anything else, such as initializers."""
    if not isinstance(entry, Mapping):
        return None
    class_name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(class_name, str) or not isinstance(config, Mapping | list):
        return None
    fields: Mapping[str, Any] = config if isinstance(config, Mapping) else {"layers": config}
    name = fields.get("name", entry.get("name"))
    if not isinstance(name, str) and not nameless:
        return None
    registered = entry.get("registered_name")
    return ConfiguredLayer(
        name if isinstance(name, str) else None,
        class_name.rpartition(">")[2],  # registered classes: "package>Name"
        fields,
        builtin=may_be_builtin(entry.get("module"), class_name, registered),
        package=(registered if isinstance(registered, str) else class_name).rpartition(">")[0],
        lists_layers=isinstance(fields.get("layers"), list),
        parent=parent,
        depth=0 if parent is None else parent.depth + 1,
        sides=0 if parent is None else parent.sides + (parent.class_name == _TWO_SIDED),
    )


def _children(layer: ConfiguredLayer) -> Iterator[ConfiguredLayer]:
    """Yield the layers in a layer's configuration: a model's, a wrapper's, an RNN's cells."""
    if layer.class_name == _TWO_SIDED:
        yield from _both_sides(layer) if layer.sides <= _MOST_SIDES else ()
        return
    for key, value in layer.config.items():
        if key == "dtype":  # a dtype policy has a class and a name too
            continue
        for entry in value if isinstance(value, list) else (value,):
            if (child := _read(entry, layer, nameless=key in _HOLDERS)) is not None:
                yield child


def _both_sides(wrapper: ConfiguredLayer) -> Iterator[ConfiguredLayer]:
    """Yield a Bidirectional's two layers, under every name that some Keras version gives them."""
    forward, backward = wrapper.config.get("layer"), wrapper.config.get("backward_layer")
    for side, entry in (("forward_", forward), ("backward_", backward or forward)):
        name = getattr(_read(entry, wrapper, nameless=False), "name", None) or ""
        stem = name.removeprefix("forward_").removeprefix("backward_")
        # Keras 2 prefixes any name, Keras 3 removes an old prefix first; it keeps the name of a given backward layer.
        for one in dict.fromkeys([side + stem, side + name, *([name] if entry is backward else [])]):
            if (child := _read(entry, wrapper, nameless=False)) is not None:
                child.name = one
                yield child

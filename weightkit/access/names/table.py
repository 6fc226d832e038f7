"""Keras' own layer classes: what each one saves, as a table made from Keras itself.

``keras_layers.json`` beside this file is made by ``scripts/make_layer_table.py``. It lists, for every class of
``keras.layers``, the weights in the order in which Keras saves them and the sublayers saved below, under each
setting of the configuration flags that change them. Nothing here knows a file; Keras is not needed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from weightkit.access.ref import Kind

FREE = object()
"""The quantization of a sublayer whose configuration the file does not hold."""


@dataclass(frozen=True, slots=True)
class NamedWeight:
    """One weight of a class: what it is called and how its stored array looks."""

    name: str
    kind: Kind
    rank: int | None
    """Number of dimensions; None where the class has weights of several ranks."""
    integer: bool
    """Whether the array holds integers."""
    dimensions: tuple[str, ...]
    """``("a", "2b")``: equal letters are equal sizes, here the second one twice ``b``; ``("*A",)`` any shape."""


@dataclass(frozen=True, slots=True)
class Child:
    """A sublayer saved below a layer."""

    path: str
    """As in the file: ``cell``, ``query_dense``, ``cells/lstm_cell_1``."""
    class_name: str
    name: str | None
    """The sublayer's own name, where the configuration or Keras' code fixes it."""
    config: Mapping[str, Any]
    builtin: bool = True
    """False for a class that is not Keras' own."""


@dataclass(frozen=True, slots=True)
class Case:
    """The weights and fixed sublayers of a class under one setting of its flags."""

    when: Mapping[str, Any]
    weights: tuple[NamedWeight, ...]
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class LayerClass:
    """One class of ``keras.layers``."""

    flags: Mapping[str, tuple[str, Any]]
    """The configuration keys that change its weights: how each is read, and its default."""
    wraps: Mapping[str, tuple[str, ...]]
    """Attribute to the configuration keys that may hold the configuration of the layer(s) in it."""
    lora: frozenset[str]
    """Weights that LoRA takes out of training; their saved values have it merged in."""
    cases: tuple[Case, ...]
    by_flags: Mapping[tuple[Any, ...], tuple[Case, ...]]
    """The cases by the values of all flags but the quantization, in the order of ``flags``."""


@dataclass(frozen=True, slots=True)
class Serialized:
    """A layer as a configuration holds it."""

    class_name: str
    config: Mapping[str, Any]
    builtin: bool

    @property
    def name(self) -> str | None:
        """The layer's name, where the configuration tells."""
        name = self.config.get("name")
        return name if isinstance(name, str) and name else None


def own_weights(class_name: str, config: Mapping[str, Any]) -> tuple[NamedWeight, ...] | None:
    """What a layer of a built-in class saves itself, in its save order.

    A key that ``config`` lacks takes the class's default. None where the class is not Keras' own, or the
    configuration leaves it open.
    """
    found = {case.weights for case in cases_of(class_name, config, quantization=quantization_mode(config))}
    return found.pop() if len(found) == 1 else None


def children(class_name: str, config: Mapping[str, Any]) -> tuple[Child, ...] | None:
    """The sublayers that Keras saves below a layer of a built-in class; None where the class is unknown."""
    layer_class = find(class_name)
    if layer_class is None:
        return None
    found = {case.children for case in cases_of(class_name, config)}
    fixed = found.pop() if len(found) == 1 else ()
    return fixed + tuple(_wrapped(layer_class, config))


def kind_of_name(name: str, layer_class: str | None, *, integer: bool = False) -> Kind:
    """What a weight of this name is, in a format that stores names.

    Args:
        name: The weight's own name: ``kernel``, ``moving_mean``.
        layer_class: The class of its layer, where known.
        integer: Whether the stored array holds integers, as quantised kernels do.

    Returns:
        The kind it has in that class; in other classes, the kind that it has in all of Keras' classes;
        else UNKNOWN.
    """
    kinds = _kinds(canonical(layer_class) if layer_class else None, integer=integer).get(name)
    if not kinds:
        kinds = _kinds(None, integer=integer).get(name, frozenset())
    return next(iter(kinds)) if len(kinds) == 1 else Kind.UNKNOWN


def find(class_name: str) -> LayerClass | None:
    """The entry of a class, by its own name or by another that ``keras.layers`` has for it."""
    return _table().classes.get(canonical(class_name))


def canonical(class_name: str) -> str:
    """The class's own name: the keys in a file come from it, where a configuration may hold an alias."""
    return _table().aliases.get(class_name, class_name)


def class_of_key(key: str) -> str | None:
    """The built-in class of ``dense_1``, a key in a list of layers; None where there is none."""
    by_key = _class_by_key()
    return by_key.get(key) or by_key.get(key_base(key))


def key_base(key: str) -> str:
    """``dense_1`` without its number."""
    base, separator, number = key.rpartition("_")
    return base if separator and number.isdecimal() else key


@functools.lru_cache(maxsize=1024)
def keys_of_class(class_name: str) -> tuple[str, ...]:
    """The key of a class in a list of layers: as Keras 3 makes it, then as Keras 2 does where that differs."""
    name = re.sub(r"\W+", "", canonical(class_name))
    ways = (r"(.)([A-Z][a-z]+)", r"(.)([A-Z][a-z0-9]+)")  # Keras 2 has conv_lst_m2d for ConvLSTM2D
    keys = (re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(way, r"\1_\2", name)).lower() for way in ways)
    return tuple(dict.fromkeys(keys))


def serialized(value: Any) -> Serialized | None:
    """Read ``{"class_name": …, "config": {…}}``; None where it is not that."""
    if not isinstance(value, Mapping):
        return None
    class_name, config = value.get("class_name"), value.get("config")
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        return None
    module = value.get("module")
    registered = value.get("registered_name")
    own = not isinstance(module, str) or module.split(".")[0] in ("keras", "tf_keras")
    custom = isinstance(registered, str) and ">" in registered
    return Serialized(class_name, config, builtin=own and not custom)


def serialized_list(value: Any) -> list[Serialized]:
    """The layers of a list in a configuration; what is no layer is left out."""
    found = (serialized(item) for item in value) if isinstance(value, list) else ()
    return [layer for layer in found if layer is not None]


def keyed(layers: list[Serialized]) -> dict[str, Serialized]:
    """Layers of a list by the key that Keras stores each under: its class's, numbered from the second on."""
    used: dict[str, int] = {}
    found: dict[str, Serialized] = {}
    clashing = set()
    for layer in layers:
        for key in keys_of_class(layer.class_name):
            count = used.get(key, 0)
            used[key] = count + 1
            numbered = f"{key}_{count}" if count else key
            # A class named Dense_1 takes the key of a second Dense.
            clashing |= {numbered} & found.keys()
            found[numbered] = layer
    return {key: layer for key, layer in found.items() if key not in clashing}


def cases_of(class_name: str, config: Mapping[str, Any], *, quantization: Any = FREE) -> list[Case]:
    """The cases of a class that a configuration allows; several where ``quantization`` leaves it open."""
    layer_class = find(class_name)
    if layer_class is None:
        return []
    flags = layer_class.flags.items()
    values = tuple(_read(config, flag, *how) for flag, how in flags if flag != "quantization")
    return [
        case for case in layer_class.by_flags.get(values, ()) if _same_mode(case.when.get("quantization"), quantization)
    ]


def quantization_mode(config: Mapping[str, Any]) -> Any:
    """``int8``, ``int4/128``, …, None for none, FREE where the configuration does not tell."""
    policy = config.get("dtype", FREE)
    if isinstance(policy, str):
        return policy.split("_from_")[0] if "_from_" in policy else None
    layer = serialized(policy)
    if layer is None or layer.class_name == "DTypePolicyMap":
        return FREE
    mode = layer.config.get("mode")
    return mode if isinstance(mode, str) else None


def _same_mode(of_case: str | None, wanted: Any) -> bool:
    """Whether a case's quantization is the wanted one; group sizes do not matter, having groups does."""
    if wanted is FREE or of_case is None or wanted is None:
        return wanted is FREE or of_case is wanted
    has_groups = [mode.partition("/")[2] not in ("", "0", "-1") for mode in (of_case, wanted)]
    return of_case.split("/")[0] == str(wanted).split("/")[0] and has_groups[0] == has_groups[1]


def _read(config: Mapping[str, Any], flag: str, how: str, default: Any) -> Any:
    """One flag's value; a configuration of an older Keras that lacks it takes the default."""
    if flag not in config:
        return default
    value = config[flag]
    if how == "true":
        return bool(value)
    if how == "given":
        return value is not None
    if how == "class":
        layer = serialized(value)
        embeds = layer is not None and canonical(layer.class_name) in ("Embedding", "ReversibleEmbedding")
        return "Embedding" if embeds else default
    return value if isinstance(value, str) else default


def _wrapped(layer_class: LayerClass, config: Mapping[str, Any]) -> list[Child]:
    """The sublayers whose configuration lies in their wrapper's."""
    found = []
    for attribute, keys in layer_class.wraps.items():
        value = next((config[key] for key in keys if key in config), None)
        inner = serialized(value)
        if inner is not None:
            name = _prefixed(inner.name, attribute)
            found.append(Child(attribute, inner.class_name, name, inner.config, inner.builtin))
        for key, one in keyed(serialized_list(value)).items():
            found.append(Child(f"{attribute}/{key}", one.class_name, one.name, one.config, one.builtin))
    return found


def _prefixed(name: str | None, attribute: str) -> str | None:
    """Bidirectional names its two copies; Keras 2 writes the original's name into the configuration."""
    prefix = attribute.removesuffix("layer")
    if name is None or prefix not in ("forward_", "backward_"):
        return name
    return name if name.startswith(prefix) else prefix + name.removeprefix("forward_")


@dataclass(frozen=True, slots=True)
class _Table:
    classes: Mapping[str, LayerClass]
    aliases: Mapping[str, str]


@functools.cache
def _table() -> _Table:
    text = resources.files(__package__).joinpath("keras_layers.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return _Table({name: _entry(entry) for name, entry in data["classes"].items()}, data["aliases"])


def _entry(entry: dict[str, Any]) -> LayerClass:
    flags = {flag: (how, default) for flag, (how, default) in entry.get("flags", {}).items()}
    cases = tuple(_case(case) for case in entry["cases"])
    by_flags: dict[tuple[Any, ...], tuple[Case, ...]] = {}
    for case in cases:
        values = tuple(case.when[flag] for flag in flags if flag != "quantization")
        by_flags[values] = (*by_flags.get(values, ()), case)
    return LayerClass(
        flags=flags,
        wraps={attribute: tuple(keys) for attribute, keys in entry.get("wraps", {}).items()},
        lora=frozenset(entry.get("lora", ())),
        cases=cases,
        by_flags=by_flags,
    )


def _case(case: dict[str, Any]) -> Case:
    return Case(
        when=case.get("when", {}),
        weights=tuple(_weight(text) for text in case.get("weights", ())),
        children=tuple(_child(*child) for child in case.get("children", ())),
    )


def _weight(text: str) -> NamedWeight:
    name, kind, type_, dimensions = text.split(" ")
    tokens = () if dimensions == "()" else tuple(dimensions.split(","))
    rank = None if dimensions.startswith("*") else len(tokens)
    return NamedWeight(name, Kind(kind), rank, type_ == "int", tokens)


def _child(path: str, class_name: str, name: str | None, flags: dict[str, Any]) -> Child:
    # A flag that asks whether a key is given reads False as given: the configuration says None.
    return Child(path, class_name, name, _Flags({flag: value or None for flag, value in flags.items()}))


class _Flags(dict[str, Any]):
    """A fixed sublayer's flags, in place of its configuration: hashable, so that equal cases can be told."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


@functools.cache
def _class_by_key() -> dict[str, str]:
    return {key: name for name in _table().classes for key in keys_of_class(name)}


@functools.cache
def _kinds(class_name: str | None, *, integer: bool) -> dict[str, frozenset[Kind]]:
    """The kinds that a name has in one class, or in all; unquantised layers say it before quantised ones."""
    found: dict[tuple[str, bool], set[Kind]] = {}
    for name, layer_class in _table().classes.items():
        if class_name in (None, name):
            for case in layer_class.cases:
                for weight in case.weights:
                    if weight.integer or not integer:
                        quantised = case.when.get("quantization") is not None
                        found.setdefault((weight.name, quantised), set()).add(weight.kind)
    names = {name for name, _ in found}
    return {name: frozenset(found.get((name, False)) or found[name, True]) for name in names}

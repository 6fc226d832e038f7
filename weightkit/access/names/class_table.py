"""Layer classes, from the tables next to this file.

``keras_layers.json`` is made from Keras by ``scripts/make/layer_table.py``, ``weightkit_layers.json`` from weightkit's
own layers and parametrizations by ``scripts/make/weightkit_table.py``. They list, for every class, the weights in the
order in which Keras saves them and the sublayers saved below, under each setting of the configuration flags that
change them.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class NamedWeight:
    """One weight of a class: its name and the form of its stored array."""

    name: str
    kind: Kind
    rank: int | None
    """Number of dimensions; None where the class has weights of several ranks."""
    integer: bool
    """Whether the array holds integers."""
    dimensions: tuple[str, ...]
    """``("a", "2b")``: equal letters are equal sizes; the second size here is twice ``b``; ``("*A",)`` any shape."""


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
    fixed: bool = False
    """Whether its layer creates it, and passes its own configuration on."""
    package: str = ""
    """The package under which its class is registered with Keras, if any."""


@dataclass(frozen=True, slots=True)
class Case:
    """The weights and fixed sublayers of a class under one setting of its flags."""

    when: Mapping[str, Any]
    weights: tuple[NamedWeight, ...]
    children: tuple[Child, ...]
    base: str = "trained"
    """What the layer's own weight is where a parametrization computes it: trained, frozen, or absent from the file."""


@dataclass(frozen=True, slots=True)
class LayerClass:
    """One class of layers, or of parametrizations."""

    flags: Mapping[str, tuple[str, Any]]
    """The configuration keys that change its weights: how each is read, and its default."""
    wraps: Mapping[str, tuple[str, ...]]
    """Attribute to the configuration keys that may hold the configuration of the layer(s) in it."""
    lora: frozenset[str]
    """Weights that LoRA freezes; their saved values have it merged in."""
    initial: Mapping[str, tuple[str | None, str, str | None]]
    """Initializers by weight name: the configuration's key, or None; the default; the flag for an open forget gate."""
    named: Mapping[str, Kind]
    """What it saves under names instead of numbers."""
    cases: tuple[Case, ...]
    by_flags: Mapping[tuple[Any, ...], tuple[Case, ...]]
    """The cases by the values of all flags but the quantization, in the order of ``flags``."""


def canonical(class_name: str) -> str:
    """The class's own name: keys in a file come from it, but a configuration may hold an alias."""
    return table().aliases.get(class_name, class_name)


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table."""

    classes: Mapping[str, LayerClass]
    aliases: Mapping[str, str]


@functools.cache
def table() -> Table:
    """Read the table of Keras' classes, once."""
    data = _read("keras_layers.json")
    return Table(_classes(data["classes"]), data["aliases"])


@dataclass(frozen=True, slots=True)
class OwnTable:
    """The table of weightkit's own classes."""

    package: str
    """The package under which they are registered with Keras."""
    classes: Mapping[str, LayerClass]
    parametrizations: Mapping[str, LayerClass]
    """What each adds to the layer around; ``{}`` in a name is the label of the weight that it computes."""


@functools.cache
def own_table() -> OwnTable:
    """Read the table of weightkit's own classes, once."""
    data = _read("weightkit_layers.json")
    return OwnTable(data["package"], _classes(data["classes"]), _classes(data["parametrizations"]))


def _read(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _classes(entries: dict[str, Any]) -> dict[str, LayerClass]:
    return {name: _entry(entry) for name, entry in entries.items()}


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
        initial={name: _initial(text) for name, text in entry.get("initial", {}).items()},
        named={name: Kind(kind) for name, kind in entry.get("named", {}).items()},
        cases=cases,
        by_flags=by_flags,
    )


def _case(case: dict[str, Any]) -> Case:
    return Case(
        when=case.get("when", {}),
        weights=tuple(_weight(text) for text in case.get("weights", ())),
        children=tuple(_child(*child) for child in case.get("children", ())),
        base=case.get("base", "trained"),
    )


def _weight(text: str) -> NamedWeight:
    name, kind, type_, dimensions = text.split(" ")
    tokens = () if dimensions == "()" else tuple(dimensions.split(","))
    rank = None if dimensions.startswith("*") else len(tokens)
    return NamedWeight(name, Kind(kind), rank, type_ == "int", tokens)


def _child(path: str, class_name: str, name: str | None, flags: dict[str, Any]) -> Child:
    # A flag for "is this key given" reads False as given: the configuration says None.
    return Child(path, class_name, name, _Flags({flag: value or None for flag, value in flags.items()}), fixed=True)


def _initial(text: str) -> tuple[str | None, str, str | None]:
    key, default, *flag = text.split(" ")
    return None if key == "-" else key, default, flag[0] if flag else None


class _Flags(dict[str, Any]):
    """A fixed sublayer's flags, in place of its configuration: hashable, so that equal cases are found."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

"""Names of the weights in legacy HDF5 files: whole models and weights alone, of Keras 1, 2 and 3.

The file stores names: each layer's group lists its ``weight_names``. The prefix of these names differs:

====================  ==============================================================================
Keras 1               ``lstm_1_W_i``, one word without scopes
Keras 2               ``dense_1/kernel:0``; ``dense_1_1/kernel:0`` after a second load; a nested
                      model's layers without the models around them
Keras 2, subclassed   ``dense/kernel:0``, or ``my_model/dense/kernel:0`` in TensorFlow 1
Keras 3, functional   ``dense/kernel``
Keras 3, Sequential   ``sequential/dense/kernel``
====================  ==============================================================================
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weightkit.access.configured import Configured
from weightkit.access.names import wrapper
from weightkit.access.names.class_weights import find, kind_of_name
from weightkit.access.names.legacy import keras1, kinds
from weightkit.access.names.legacy.config_tree import ConfiguredLayer, LayerTree, without_number
from weightkit.access.names.legacy.groups import LegacyGroup, Place, Places, without_output
from weightkit.access.names.legacy.namesakes import Found, Nested
from weightkit.access.names.naming import Naming, Stored
from weightkit.access.names.serialized_layer import Serialized
from weightkit.access.ref import Kind, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["OPTIMIZER", "TOP_LEVEL", "LegacyGroup", "name_legacy", "name_legacy_optimizer"]

TOP_LEVEL = "top_level_model_weights"
"""The group of weights that belong to the model itself; TensorFlow 2.6 and later write it."""
OPTIMIZER = "optimizer_weights"
"""The group of the optimizer's variables."""


def name_legacy(
    groups: Sequence[LegacyGroup],
    datasets: Sequence[Stored],
    config: Mapping[str, Any] | None,
    keras_version: str | None,
) -> list[Naming]:
    """Name every dataset of a legacy file.

    Args:
        groups: The layers' groups in the order of ``layer_names``, then ``top_level_model_weights``.
        datasets: All datasets under the root of the weights; ``structure`` is the path from there.
        config: The parsed ``model_config``; None in files of weights alone.
        keras_version: The attribute of that name; Keras 1.0 and 1.1 wrote none.

    Returns:
        One naming per dataset: listed ones in the file's order, then those that no list names.
    """
    waiting = {dataset.structure: dataset for dataset in datasets}
    tree = None if config is None else LayerTree(config)
    tops = {} if tree is None else tree.tops([group.name for group in groups if group.name != TOP_LEVEL])
    major = (keras_version or "").partition(".")[0]
    named = []
    seen: Counter[str] = Counter()
    for group in groups:
        names = _GroupNames(group, tree, tops.get(group.name), major)
        for weight_name in group.weight_names:
            # Taken out: a list may name one dataset twice, after tf.keras failed to save two weights of one name.
            if (dataset := waiting.pop(f"{group.name}/{weight_name}", None)) is not None:
                naming = names.naming(weight_name, dataset)
                named.append(replace(naming, index=seen[naming.layer or ""]))
                seen[naming.layer or ""] += 1
    return named + [Naming(structure, index) for index, structure in enumerate(waiting)]


def name_legacy_optimizer(weight_names: Sequence[str], datasets: Sequence[Stored]) -> list[Naming]:
    """Name the variables of the optimizer: ``optimizer_weights/Adam/m/dense/kernel``.

    Args:
        weight_names: The group's attribute: ``Adam/m/dense/kernel:0``, ``adam/iteration``.
        datasets: All datasets of the group, with ``optimizer_weights/`` before their paths.
    """
    waiting = {dataset.structure: dataset for dataset in datasets}
    listed = [name for name in (f"{OPTIMIZER}/{name}" for name in weight_names) if waiting.pop(name, None)]
    readable = Counter(without_output(structure) for structure in listed)
    namings = []
    for index, structure in enumerate(listed):
        path = without_output(structure)
        # Two names that differ only in TensorFlow's number keep it.
        layer, _, name = (path if readable[path] == 1 else structure).rpartition("/")
        namings.append(Naming(structure, index, layer, name, Kind.OPTIMIZER, known_from=Source.FILE))
    return namings + [
        Naming(structure, index, kind=Kind.OPTIMIZER) for index, structure in enumerate(waiting, len(listed))
    ]


class _GroupNames:
    """Names the weights of one group."""

    def __init__(self, group: LegacyGroup, tree: LayerTree | None, layer: ConfiguredLayer | None, major: str) -> None:
        self._group = group.name
        self._places = Places(group, tree, layer)
        self._major = major
        self._found = self._told_apart(group, tree, layer)
        of_model = layer is None and group.name == TOP_LEVEL
        self._model = Place("", None if tree is None else tree.root) if of_model else None

    def naming(self, weight_name: str, dataset: Stored) -> Naming:
        """Name one weight; its index stays 0."""
        text = without_output(weight_name)
        name, place, kind = self._reading(text, dataset.dtype)
        return Naming(
            dataset.structure,
            index=0,
            layer=place.path,
            name=name,
            kind=kind,
            layer_class=place.layer_class,
            trainable=_trainable(place, name, kind, self._major),
            known_from=Source.FILE,
            configured=_configured(place, keras_1=self._keras1_parts(text) is not None),
            around=place.around,
        )

    def _reading(self, text: str, dtype: str) -> tuple[str, Place, Kind]:
        """Parse a weight name: the weight's own name, its place, its kind."""
        if (parts := self._keras1_parts(text)) is not None:
            layer_name, name = parts
            return name, self._places.of(layer_name.split("/"), name), keras1.KINDS.get(name, Kind.UNKNOWN)
        scopes = text.split("/")
        name = scopes.pop()
        place = self._model or self._found.get((tuple(scopes), name)) or self._places.of(scopes, name)
        return name, place, _kind_in_own(name, place) or _kind(name, place.layer_class, dtype)

    def _told_apart(self, group: LegacyGroup, tree: LayerTree | None, layer: ConfiguredLayer | None) -> Found:
        """The places of the weights of a nested model, where layers of one name may be at several depths."""
        if tree is None or layer is None or not layer.lists_layers:
            return {}
        texts = (without_output(name) for name in group.weight_names)
        names = [(tuple(text.split("/")[:-1]), text.rpartition("/")[2]) for text in texts if "/" in text]
        found = {one: self._places.of([*one[0]], one[1]) for one in names}
        return Nested(group.name, tree, layer).told_apart(found)

    def _keras1_parts(self, text: str) -> tuple[str, str] | None:
        """Split a word of Keras 1; None for later versions and for names with scopes."""
        if self._major not in ("", "1") or "/" in text.removeprefix(self._group):
            return None
        return keras1.split_word(text, self._group, alone=self._places.alone)


def _kind_in_own(name: str, place: Place) -> Kind | None:
    """The kind of a weight of one of weightkit's own layers; None in any other layer, and where it is not known."""
    layer = place.layer
    if layer is None or layer.class_name is None or place.inside or not layer.package:
        return None
    own = Serialized(layer.class_name, layer.config, builtin=False, package=layer.package)
    kind = wrapper.kind_of(own, name)
    return None if kind is Kind.UNKNOWN else kind


def _kind(name: str, layer_class: str | None, dtype: str) -> Kind:
    """The kind from the tables; ``kernel_1`` is the second ``kernel`` of one scope in TensorFlow."""
    integer = dtype.startswith(("int", "uint", "bool"))
    for stem in dict.fromkeys((name, without_number(name))):
        kind = kinds.CLASS_KINDS.get(layer_class or "", {}).get(stem)
        kind = kind or kind_of_name(stem, layer_class, integer=integer)
        if kind is Kind.UNKNOWN and not integer:
            kind = kinds.NAME_KINDS.get(stem, kind)
        if kind is not Kind.UNKNOWN:
            return kind
    return Kind.UNKNOWN


def _configured(place: Place, *, keras_1: bool) -> Configured | None:
    """What the configuration says about the layer; an inner layer that it does not list has the outer one's."""
    if place.layer is None or place.layer_class is None:
        return None
    layer = place.layer
    return Configured(place.layer_class, layer.config, layer.builtin, keras_1, layer.package)


def _trainable(place: Place, name: str, kind: Kind, major: str) -> bool | None:
    """Whether training changes a weight, from the flags in the configuration."""
    if kind in (Kind.STATISTIC, Kind.STATE, Kind.QUANTIZATION):
        return False
    if place.layer is None or (place.inside and place.layer_class is None):
        return None
    flag = place.layer.trainable
    if major in ("1", "2") and any(layer.trainable is False for layer in place.layer.up()):
        return False  # Keras 3 checks each layer alone; before, a frozen model froze everything in it
    if place.layer.config.get("lora_rank") and (known := find(place.layer_class or "")) and name in known.lora:
        return False
    return flag if kind is Kind.PARAMETER or flag is False else None

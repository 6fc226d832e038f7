"""What a built-in layer saves: its weights and its sublayers, by class and configuration.

Nothing here reads files or needs Keras.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from weightkit.access.names.class_table import Case, Child, LayerClass, NamedWeight, canonical, table
from weightkit.access.names.keys import keyed
from weightkit.access.names.serialized_layer import serialized, serialized_list
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

FREE = object()
"""The quantization of a sublayer whose configuration the file does not hold."""


_COMMON_WORDS = frozenset({"count", "mean", "scale", "variance", "vector_u"})
"""Names that imply a kind only in built-in classes: a custom layer may train its ``mean``."""


def own_weights(class_name: str, config: Mapping[str, Any]) -> tuple[NamedWeight, ...] | None:
    """What a layer of a built-in class saves itself, in its save order.

    A key that ``config`` lacks takes the class's default. None if the class is not built in, or the configuration
    does not decide it.
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
    """The kind of a weight of this name, in a format that stores names.

    Args:
        name: The weight's own name: ``kernel``, ``moving_mean``.
        layer_class: The class of its layer, where known.
        integer: Whether the stored array holds integers, as quantized kernels do.

    Returns:
        Its kind in that class; for other classes, its kind in all built-in classes, unless the name is also common for
        weights of other kinds; else UNKNOWN.
    """
    kinds = _kinds(canonical(layer_class), integer=integer).get(name) if layer_class else None
    if not kinds and name not in _COMMON_WORDS:
        kinds = _kinds(None, integer=integer).get(name, frozenset())
    return next(iter(kinds)) if kinds and len(kinds) == 1 else Kind.UNKNOWN


def find(class_name: str) -> LayerClass | None:
    """The entry of a class, by its own name or by an alias in ``keras.layers``."""
    return table().classes.get(canonical(class_name))


def cases_of(class_name: str, config: Mapping[str, Any], *, quantization: Any = FREE) -> list[Case]:
    """The cases of a class that a configuration allows; several if ``quantization`` is FREE."""
    layer_class = find(class_name)
    return [] if layer_class is None else cases_in(layer_class, config, quantization=quantization)


def cases_in(layer_class: LayerClass, config: Mapping[str, Any], *, quantization: Any = FREE) -> list[Case]:
    """The same from the entry of a class."""
    flags = layer_class.flags.items()
    values = tuple(_read(config, flag, *how) for flag, how in flags if flag != "quantization")
    return [
        case for case in layer_class.by_flags.get(values, ()) if _same_mode(case.when.get("quantization"), quantization)
    ]


def quantization_mode(config: Mapping[str, Any]) -> Any:
    """``int8``, ``int4/128``, …, None for none, FREE if the configuration does not say."""
    policy = config.get("dtype", FREE)
    if isinstance(policy, str):
        return policy.split("_from_")[0] if "_from_" in policy else None  # int8_from_float32
    layer = serialized(policy)
    if layer is None or layer.class_name == "DTypePolicyMap":
        return FREE
    mode = layer.config.get("mode")
    return mode if isinstance(mode, str) else None


def _same_mode(of_case: str | None, wanted: Any) -> bool:
    """Whether a case's quantization is the wanted one; group sizes do not matter, but having groups does."""
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
    """The sublayers whose configuration is inside their wrapper's."""
    found = []
    for attribute, keys in layer_class.wraps.items():
        value = next((config[key] for key in keys if key in config), None)
        inner = serialized(value)
        if inner is not None:
            name = _prefixed(inner.name, attribute)
            found.append(Child(attribute, inner.class_name, name, inner.config, inner.builtin, package=inner.package))
        for key, one in keyed(serialized_list(value)).items():
            found.append(
                Child(f"{attribute}/{key}", one.class_name, one.name, one.config, one.builtin, package=one.package)
            )
    return found


def _prefixed(name: str | None, attribute: str) -> str | None:
    """Bidirectional names its two copies; Keras 2 writes the original's name into the configuration."""
    prefix = attribute.removesuffix("layer")
    if name is None or prefix not in ("forward_", "backward_"):
        return name
    return name if name.startswith(prefix) else prefix + name.removeprefix("forward_")


@functools.cache
def _kinds(class_name: str | None, *, integer: bool) -> dict[str, frozenset[Kind]]:
    """The kinds of a name in one class, or in all classes; unquantized layers take precedence over quantized ones."""
    found: dict[tuple[str, bool], set[Kind]] = {}
    for name, layer_class in table().classes.items():
        if class_name in (None, name):
            for key, kind in layer_class.named.items():
                found.setdefault((key, False), set()).add(kind)
            for case in layer_class.cases:
                for weight in case.weights:
                    if weight.integer or not integer:
                        quantized = case.when.get("quantization") is not None
                        found.setdefault((weight.name, quantized), set()).add(weight.kind)
    names = {name for name, _ in found}
    return {name: frozenset(found.get((name, False)) or found[name, True]) for name in names}

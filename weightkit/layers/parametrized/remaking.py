"""A model made again from its configuration with some of its layers' configurations changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import RequestError
from weightkit.layers.parametrized.saving_hooks import own_variables
from weightkit.layers.parametrized.wrapper import Parametrized

if TYPE_CHECKING:
    from collections.abc import Callable

_REGISTERED = "weightkit>Parametrized"
_KEYS = ("module", "class_name", "config", "registered_name")
_LISTED = ("Sequential", "Functional")


def is_listed(model: Any) -> bool:
    """Whether a model knows its layers: a Functional or Sequential one."""
    return isinstance(model, keras.Model) and model._obj_type() in _LISTED  # noqa: SLF001  # Keras has no other way


def require_listed(model: Any, verb: str, hint: str) -> None:
    """Refuse what cannot be made again from its configuration.

    Raises:
        RequestError: The model is no Functional or Sequential one.
    """
    if not is_listed(model):
        raise RequestError(f"{verb}: {getattr(model, 'name', model)!r} is no Functional or Sequential model", hint=hint)


def placed_layers(model: Any) -> Iterator[Any]:
    """The layers of a model and of the models in it, each once, in order."""
    seen: set[int] = set()
    for layer in model.layers:
        below = placed_layers(layer) if is_listed(layer) else iter((layer,))
        for one in below:
            if id(one) not in seen:
                seen.add(id(one))
                yield one


def remade(model: Any, change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Any:
    """A new model with fresh weights, uncompiled.

    Args:
        model: A Functional or Sequential model, or a layer.
        change: From a layer, or None inside another layer's configuration, and its configuration as Keras writes it
            to another such.
    """
    classes = {type(one).__name__: type(one) for one in model._flatten_layers()}  # noqa: SLF001
    with keras.saving.CustomObjectScope(classes):
        if is_listed(model):
            return type(model).from_config(_changed_model(model, model.get_config(), change))
        config = change(model, keras.saving.serialize_keras_object(model))
        return keras.saving.deserialize_keras_object(config)


def _changed_model(model: Any, config: dict[str, Any], change: Callable[..., Any]) -> dict[str, Any]:
    by_name = {layer.name: layer for layer in model.layers}
    entries = []
    for entry in config["layers"]:
        layer = by_name.get(entry["config"].get("name"))
        if layer is not None and is_listed(layer):
            entries.append({**entry, "config": _changed_model(layer, entry["config"], change)})
        elif layer is None:
            entries.append(entry)  # an input of a Sequential model
        else:
            new = change(layer, {key: entry[key] for key in _KEYS if key in entry})
            entries.append({**entry, **{key: new.get(key) for key in _KEYS}})
    return {**config, "layers": entries}


def without_wrappers(layer: Any, config: Any) -> Any:  # noqa: ARG001  # one way to change a configuration
    """A configuration with every wrapper in it replaced by the layer inside."""
    if isinstance(config, list):
        return [without_wrappers(None, one) for one in config]
    if not isinstance(config, Mapping):
        return config
    if config.get("registered_name") == _REGISTERED:
        inner = dict(config["config"]["layer"])
        inner["config"] = {**inner["config"], "name": config["config"]["name"]}
        return without_wrappers(None, inner)
    return {key: without_wrappers(None, value) for key, value in config.items()}


def values_of(layer: Any) -> dict[int, Any]:
    """What the weights that are computed are now, by the ``id`` of the variable in whose place they are."""
    found: dict[int, Any] = {}
    for one in layer._flatten_layers():  # noqa: SLF001
        if isinstance(one, Parametrized):
            found = {**one.values(), **found}  # a wrapper outside knows better what one inside computes
    return found


def copy_weights(source: Any, target: Any, values: Mapping[int, Any] | None = None) -> None:
    """Copy the weights of layers from one model to another that is built alike, but for wrappers.

    Args:
        source: A model or a layer.
        target: Another.
        values: Values to take in the place of variables of the source, by their ``id``.

    Raises:
        RequestError: The two are not alike.
    """
    for ours, theirs in _pairs(source, target):
        old, new = own_variables(ours), own_variables(theirs)
        seeds = zip(ours._seed_generators, theirs._seed_generators, strict=False)  # noqa: SLF001
        copied = [(old[key], new[key]) for key in new] + [(one.state, other.state) for one, other in seeds]
        for variable, into in copied:
            value = (values or {}).get(id(variable))
            if into._value is not None:  # noqa: SLF001  # a tied weight has no value of its own
                into.assign(own_copy(variable.value if value is None else value))


def own_copy(value: Any) -> np.ndarray:
    """A value in memory of its own: on JAX, an array that two variables share is gone once one of them is donated."""
    return np.array(keras.ops.convert_to_numpy(value))


def _pairs(source: Any, target: Any) -> Iterator[tuple[Any, Any]]:
    ours, theirs = _inside(source), _inside(target)
    if [type(one) for one in ours] != [type(one) for one in theirs]:
        raise RequestError(
            f"{source.name}: made again from its configuration it has other layers",
            hint="write what it is made of into its get_config()",
        )
    return zip(ours, theirs, strict=True)


def _inside(layer: Any) -> list[Any]:
    """All layers, wrappers left out, in an order that does not depend on wrappers."""
    found, seen = [], set()

    def visit(one: Any) -> None:
        if id(one) not in seen:
            seen.add(id(one))
            if not isinstance(one, Parametrized):
                found.append(one)
            for below in one._layers:  # noqa: SLF001
                visit(below)

    visit(layer)
    return found

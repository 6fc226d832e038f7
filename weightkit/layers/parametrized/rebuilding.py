"""Rebuild a model from its configuration, with the configurations of some layers changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightkit.errors import RequestError
from weightkit.layers.parametrized.graphs.listed_layers import is_functional, leaf_layers
from weightkit.layers.parametrized.graphs.plain_graph import plain_model
from weightkit.layers.parametrized.saving_hooks import saved_variables
from weightkit.layers.parametrized.tied_layers import find_tied_layers
from weightkit.layers.parametrized.wrapper import Parametrized
from weightkit.text import cut

if TYPE_CHECKING:
    from collections.abc import Callable

_REGISTERED = "weightkit>Parametrized"
_KEYS = ("module", "class_name", "config", "registered_name")
_LONGEST = 200
"""Characters of Keras' error in a message."""
_CALLS = ("name", "inbound_nodes")
"""What a Functional model's configuration says of a layer in it, beside the layer's own configuration."""


def rebuild(model: Any, change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Any:
    """Make a new model with new weights, not compiled.

    Args:
        model: A Functional or Sequential model that lists its layers (`plain_graph`), or a layer.
        change: Takes a layer (None for one in another layer's configuration) and its serialized configuration, and
            returns the new serialized configuration.

    Raises:
        RequestError: A layer cannot be made from its configuration.
    """
    # A user's class need not be registered with Keras.
    classes = {type(one).__name__: type(one) for one in model._flatten_layers()}  # noqa: SLF001
    with keras.saving.CustomObjectScope(classes):
        try:
            if is_functional(model):
                return type(model).from_config(_changed_model(model, model.get_config(), change))
            config = change(model, keras.saving.serialize_keras_object(model))
            return keras.saving.deserialize_keras_object(config)
        except RequestError:
            raise
        except Exception as error:
            raise _not_rebuilt(model, error) from error


def _not_rebuilt(model: Any, error: BaseException) -> RequestError:
    """Say in a line which layer cannot be made; the errors of Keras 3.15 show the configurations around it."""
    what = f"{type(model).__name__} {model.name!r}"
    for layer in leaf_layers(model) if is_functional(model) else ():
        try:
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        except Exception as cause:  # noqa: BLE001  # whatever its class raises
            what, error = f"{type(layer).__name__} {layer.name!r}", cause
            break
    while error.__context__ is not None:
        error = error.__context__
    line = next(iter(str(error).splitlines()), type(error).__name__)
    return RequestError(
        f"{model.name}: {what} cannot be made from its get_config(): {type(error).__name__}: {cut(line, _LONGEST)}",
        hint="correct its get_config() or from_config()",
    )


def _changed_model(model: Any, config: dict[str, Any], change: Callable[..., Any]) -> dict[str, Any]:
    by_name = {layer.name: layer for layer in model.layers}
    entries = []
    for entry in config["layers"]:
        layer = by_name.get(entry.get("name") or entry["config"].get("name"))
        if layer is not None and is_functional(layer):
            entries.append(_changed_nested(layer, entry, change))
        elif layer is None:
            entries.append(entry)  # an input of a Sequential model
        else:
            new = change(layer, {key: entry[key] for key in _KEYS if key in entry})
            entries.append({**entry, **{key: new.get(key) for key in _KEYS}})
    return {**config, "layers": entries}


def _changed_nested(model: Any, entry: dict[str, Any], change: Callable[..., Any]) -> dict[str, Any]:
    plain = plain_model(model)
    if plain is not model:
        calls = {key: entry[key] for key in _CALLS if key in entry}
        entry = {**keras.saving.serialize_keras_object(plain), **calls}
    return {**entry, "config": _changed_model(plain, entry["config"], change)}


def without_wrappers(layer: Any, config: Any) -> Any:  # noqa: ARG001  # a `change` of `rebuild`
    """Replace every wrapper in a configuration by the layer inside it."""
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
    """The present values of computed weights, by ``id`` of the layer's own variable."""
    find_tied_layers(layer)
    found: dict[int, Any] = {}
    for one in layer._flatten_layers():  # noqa: SLF001
        if isinstance(one, Parametrized):
            found = {**one.values(), **found}  # the value of an outer wrapper includes that of an inner one
    return found


def copy_weights(source: Any, target: Any, values: Mapping[int, Any] | None = None) -> None:
    """Copy the weights of one model to another with the same layers, apart from wrappers.

    Args:
        source: A model or a layer.
        target: Another.
        values: By ``id`` of a variable of the source, a value to copy instead of its own.

    Raises:
        RequestError: The layers differ.
    """
    for ours, theirs in _pairs(source, target):
        old, new = saved_variables(ours), saved_variables(theirs)
        seeds = zip(ours._seed_generators, theirs._seed_generators, strict=False)  # noqa: SLF001
        copied = [(old[key], new[key]) for key in new] + [(one.state, other.state) for one, other in seeds]
        for variable, into in copied:
            value = (values or {}).get(id(variable))
            if into._value is not None:  # noqa: SLF001  # a tied weight has no value
                into.assign(separate_copy(variable.value if value is None else value))


def separate_copy(value: Any) -> np.ndarray:
    """A copy of a value: on JAX, an array that two variables share is deleted when one of them is donated."""
    return np.array(keras.ops.convert_to_numpy(value))


def _pairs(source: Any, target: Any) -> Iterator[tuple[Any, Any]]:
    ours, theirs = _inside(source), _inside(target)
    if [type(one) for one in ours] != [type(one) for one in theirs]:
        raise RequestError(
            f"{source.name}: a model that is rebuilt from the configuration has other layers",
            hint="return everything that determines the layers from get_config()",
        )
    return zip(ours, theirs, strict=True)


def _inside(layer: Any) -> list[Any]:
    """All layers except wrappers and models of listed layers, in an order that does not depend on wrappers."""
    if is_functional(layer):
        return [one for leaf in leaf_layers(layer) for one in _inside(leaf)]
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

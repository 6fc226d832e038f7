"""Parametrize selected weights of an existing model, and load weights of a plain model into the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.access.live import require_between_steps, variables_of
from weightkit.layers.parametrized.chosen_weights import chosen_weights, steps_of, targets_in
from weightkit.layers.parametrized.graphs.listed_layers import is_functional, leaf_layers, require_functional
from weightkit.layers.parametrized.graphs.nested_keys import renamed_by_key
from weightkit.layers.parametrized.graphs.plain_graph import plain_graph, require_separate_weights
from weightkit.layers.parametrized.rebuilding import copy_weights, rebuild, separate_copy, without_wrappers
from weightkit.layers.parametrized.restored_variables import restore_variables_on_error
from weightkit.layers.parametrized.wrapper import Parametrized
from weightkit.transforms.load_weights import load_weights

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from weightkit.access import Where
    from weightkit.layers.parametrizations.parametrization import Parametrization

_WRAP = (
    "wrap layers where they are made: Parametrized(keras.layers.Dense(8), ...); or in the model itself: "
    "weightkit.training.parametrize_in_place"
)
_LOAD = "call load_weights(wrapper.layer, source, source_at=...) and wrapper.reinitialize() for each wrapper"


def parametrize(
    model: Any,
    where: Where,
    parametrization: Parametrization | Sequence[Parametrization],
    exclude: Where = None,
) -> Any:
    """Make a copy of a model in which selected weights are computed by parametrizations.

    Args:
        model: A Functional or Sequential model, nested or not, or of a subclass such as KerasHub's backbones and tasks.
        where: Which weights: one or several selections, as for ``edit``. Selecting a layer or a model selects those of
            its weights that the parametrization applies to, without biases.
        parametrization: How to compute them; several are applied in their order.
        exclude: Which of them to leave out.

    Returns:
        A new model with the weights of the given one, which does not change. It is not compiled, since an optimizer
        belongs to the variables that it was built for. What is frozen in the given model is frozen in the new one,
        where the factors of a `LowRank` are still trained.

        A class whose ``get_config()`` does not list its layers cannot be rebuilt with wrappers in it: the new model, or
        the one nested in it, is a plain Functional model, without the class's other methods. Models in it that share a
        layer, such as a table that embeds in a backbone and gives the logits around it, become one flat model.

    Raises:
        RequestError: It is another kind of model, is not built, or a selected layer is quantized; its class computes or
            holds what its graph does not show, two layers hold the same weight, or a layer cannot be made from its
            configuration.
        SelectionError: The selection is malformed, a path in it leads to nothing, or it finds no weight that the
            parametrization applies to.

    Example:
        >>> import keras
        >>> from weightkit.layers import LowRank, parametrize
        >>> model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2)])
        >>> [type(layer).__name__ for layer in parametrize(model, "a", LowRank(2)).layers]
        ['Parametrized', 'Dense']
    """
    require_functional(model, "parametrize", _WRAP)
    steps = steps_of(parametrization)
    chosen = chosen_weights(model, where, exclude, steps)
    require_separate_weights(model, "parametrize")
    with plain_graph(model, "parametrize") as graph:
        return _rebuilt(graph, chosen, steps)


def load_unwrapped(model: Any, source: str | os.PathLike[str] | Any, **settings: Any) -> None:
    """Load the weights of a plain model into one in which some weights are computed.

    Variables that parametrizations added are re-initialized from the loaded weights: lengths are those of the loaded
    weights, and low-rank updates are zero. Masks stay.

    Args:
        model: A built Functional or Sequential model with parametrized layers.
        source: A weights file of the plain model, or that model.
        settings: The arguments of ``weightkit.load_weights``.

    Raises:
        RequestError: It is another kind of model, or the weights cannot be matched, or a step of a running ``fit`` uses
            them; on any error nothing changes.
        RefusedError: The file is damaged, unsafe, or has no Keras weights.
    """
    require_functional(model, "load_unwrapped", _LOAD)
    require_between_steps(variables_of(model), f"weights must not be loaded into {model.name}")
    with plain_graph(model, "load_unwrapped") as graph:
        plain = rebuild(graph, without_wrappers)
        if not plain.built:
            plain.build_from_config(graph.get_build_config())
        # A selection in the settings may leave weights out: these keep the model's values.
        copy_weights(graph, plain)
    rename = {} if "rename" in settings else renamed_by_key(plain, source)
    load_weights(plain, source, **{"rename": rename, **settings})
    wrappers = [layer for layer in model._flatten_layers() if isinstance(layer, Parametrized)]  # noqa: SLF001
    with restore_variables_on_error(model.variables, [one for layer in wrappers for one in layer.computed]):
        copy_weights(plain, model)
        for layer in wrappers:
            layer.reinitialize(keep_masks=True)


def _rebuilt(model: Any, chosen: set[int], steps: list[Any]) -> Any:
    """A copy of a model that lists its layers, with the chosen weights computed."""
    targets = {id(layer): targets_in(layer, chosen, set()) for layer in leaf_layers(model)}
    made = rebuild(model, lambda layer, config: _wrapped(layer, config, targets.get(id(layer)), steps))
    # A Sequential without an Input has its input shape only in the build configuration.
    if not made.built:
        made.build_from_config(model.get_build_config())
    for old, new in zip(leaf_layers(model), leaf_layers(made), strict=True):
        copy_weights(old, new.layer if targets[id(old)] else new)
        if targets[id(old)]:
            _copy_added(old, new.layer)
            # Lengths and vectors were initialized from other weights, before the copy.
            new.reinitialize()
        else:
            _copy_added(old, new)
    _copy_flags(model, made, targets, adapts=any(one.freezes_base for one in steps))
    return made


def _wrapped(
    layer: Any, config: dict[str, Any], targets: dict[str, str] | None, steps: list[Parametrization]
) -> dict[str, Any]:
    """The configuration of a wrapper around a layer's configuration."""
    if not targets:
        return config
    return {
        "module": "weightkit.layers.parametrized.wrapper",
        "class_name": "Parametrized",
        "registered_name": "weightkit>Parametrized",
        "config": {
            "name": layer.name,
            "trainable": config["config"].get("trainable", True),
            "layer": config,
            "weights": {"**": [keras.saving.serialize_keras_object(one) for one in steps]},
            # The addresses that were selected, since the selection `**` alone would find more.
            "targets": {"**": targets},
        },
    }


def _copy_flags(model: Any, made: Any, targets: Mapping[int, Any], *, adapts: bool, below: bool = False) -> None:
    """Copy the ``trainable`` flags of layers to a new model: ``from_config`` of Keras 3.15 forgets some of them.

    Args:
        model: The old one.
        made: The new one.
        targets: By ``id`` of each old layer, its computed weights.
        adapts: Whether wrappers around frozen layers are trained, and so the models around them.
        below: Whether a model around this one is frozen.
    """
    below = below or not model.trainable
    made.trainable = adapts or not below
    for old, new in zip(model.layers, made.layers, strict=True):
        if is_functional(old):
            _copy_flags(old, new, targets, adapts=adapts, below=below)
            continue
        is_wrapper = bool(targets.get(id(old)))
        new.trainable = (adapts and is_wrapper) or (old.trainable and not below)
        inner = new.layer if is_wrapper else new
        for one, other in zip(old._flatten_layers(), inner._flatten_layers(), strict=True):  # noqa: SLF001
            other.trainable = one.trainable and not below
        if is_wrapper:
            new._freeze()  # noqa: SLF001  # setting the flags unfroze the whole layer inside


def _copy_added(source: Any, target: Any) -> None:
    """Copy the added variables of wrappers that the model had before."""
    ours, theirs = (
        [one for one in layer._flatten_layers() if isinstance(one, Parametrized)]  # noqa: SLF001
        for layer in (source, target)
    )
    for old, new in zip(ours, theirs, strict=True):
        for one, other in zip(old.computed, new.computed, strict=True):
            for (_, added), (_, into) in zip(one.steps, other.steps, strict=True):
                for key, variable in added.items():
                    into[key].variable.assign(separate_copy(variable.variable.value))

"""Parametrizing chosen weights of a model that exists, and loading what was saved before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.access import Kind, combine
from weightkit.access.live import open_live
from weightkit.errors import RequestError, SelectionError
from weightkit.escape import escape
from weightkit.layers.parametrizations.parametrization import Parametrization
from weightkit.layers.parametrized.remaking import (
    copy_weights,
    is_listed,
    own_copy,
    placed_layers,
    remade,
    require_listed,
    without_wrappers,
)
from weightkit.layers.parametrized.restore_on_error import or_as_they_were
from weightkit.layers.parametrized.weight_choice import fits, label
from weightkit.layers.parametrized.wrapper import Parametrized
from weightkit.transforms.copy_from import copy_from

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from weightkit.access import Where

_SHOWN = 5


def parametrize(
    model: Any,
    where: Where,
    parametrization: Parametrization | Sequence[Parametrization],
    exclude: Where = None,
) -> Any:
    """Make a model in which chosen weights are computed; its weights are those of the given one.

    Args:
        model: A Functional or Sequential model, with others inside or not.
        where: Which weights: a selection or several, as for ``edit``. A layer or a model that is selected means
            the weights of it that the parametrization fits, not its biases.
        parametrization: How they are computed; several are applied in their order.
        exclude: Which of them not.

    Returns:
        A new model, not compiled, since an optimizer knows the variables it was built for. The given one stays. What
        is frozen in it is frozen in the new one, where the factors of a `LowRank` are trained all the same.

    Raises:
        RequestError: The model is of another kind, has not been built, or has a quantized layer chosen.
        SelectionError: The selection is malformed, or finds nothing that the parametrization fits.

    Example:
        >>> import keras
        >>> from weightkit.layers import LowRank, parametrize
        >>> model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(2)])
        >>> [type(layer).__name__ for layer in parametrize(model, "a", LowRank(2)).layers]
        ['Parametrized', 'Dense']
    """
    require_listed(model, "parametrize", "wrap its layers one by one, with Parametrized(layer, ...)")
    steps: list[Any] = list(parametrization) if isinstance(parametrization, list | tuple) else [parametrization]
    wrong = next((one for one in steps if not isinstance(one, Parametrization)), None)
    if wrong is not None or not steps:
        raise RequestError(f"parametrize: parametrization={parametrization!r} is no parametrization")
    chosen = _chosen(model, where, exclude, steps)
    targets = {id(layer): _targets(layer, chosen) for layer in placed_layers(model)}
    made = remade(model, lambda layer, config: _wrapped(config, targets.get(id(layer)), steps))
    if not made.built:
        made.build_from_config(model.get_build_config())
    for old, new in zip(placed_layers(model), placed_layers(made), strict=True):
        copy_weights(old, new.layer if targets[id(old)] else new)
        if targets[id(old)]:
            _copy_added(old, new.layer)
            new.begin()
        else:
            _copy_added(old, new)
    _freeze_alike(model, made, targets, adapts=any(one.freezes_base for one in steps))
    return made


def load_unwrapped(model: Any, source: str | os.PathLike[str] | Any, **settings: Any) -> None:
    """Load the weights of a plain model into one in which some are computed.

    What parametrizations added begins again from the loaded weights: lengths are those of the loaded directions,
    low-rank updates are nothing. Masks stay.

    Args:
        model: A Functional or Sequential model with parametrized layers, built.
        source: A weights file of the plain model, or that model.
        settings: As for ``weightkit.copy_from``.

    Raises:
        RequestError: The model is of another kind, or the weights cannot be matched; on any error nothing is changed.
        RefusedError: The file is damaged, unsafe, or holds no Keras weights.
    """
    require_listed(model, "load_unwrapped", "load the weights of its layers one by one")
    plain = remade(model, without_wrappers)
    if not plain.built:
        plain.build_from_config(model.get_build_config())
    copy_weights(model, plain)
    copy_from(plain, source, **settings)
    wrappers = [layer for layer in model._flatten_layers() if isinstance(layer, Parametrized)]  # noqa: SLF001
    with or_as_they_were(model.variables, [one for layer in wrappers for one in layer.computed]):
        copy_weights(plain, model)
        for layer in wrappers:
            layer.begin(keep_masks=True)


def _chosen(model: Any, where: Any, exclude: Any, steps: list[Parametrization]) -> set[int]:
    """The variables that are selected and fit, by ``id``."""
    store = open_live(model)
    refs = tuple(store)
    selector, less = (None if one is None else one.bind(refs, ordered=store.ordered) for one in combine(where, exclude))
    selected = [ref for ref in refs if selector is not None and selector(ref) and not (less is not None and less(ref))]
    fitting = [ref for ref in selected if selector is not None and fits(ref, selector, steps)]
    for ref in selected:
        if ref.kind is Kind.QUANTIZATION:
            raise RequestError(f"{escape(ref.path)} is a weight of a quantized layer, and cannot be computed")
    if not fitting:
        names = " and ".join(type(one).__name__ for one in steps)
        near = ", ".join(escape(ref.path) for ref in (selected or refs)[:_SHOWN])
        what = "chose nothing" if not selected else f"chose no weight that {names} fits"
        raise SelectionError(f"{store.label}: {where!r} {what}; there are {near}", hint="see open_weights(model)")
    return {id(store.variable(ref)) for ref in fitting}


def _targets(layer: Any, chosen: set[int]) -> dict[str, str]:
    """Places and labels of the chosen weights of a layer, as a wrapper's configuration has them."""
    if not layer.variables:
        return {}
    store = open_live(layer)
    found: dict[str, str] = {}
    left, labels = set(chosen), set[str]()
    for ref in store:
        variable = id(store.variable(ref))
        if variable in left:
            left.remove(variable)  # one that has two addresses is computed once
            found[ref.structure] = label(ref.name or "weight", labels)
    return found


def _wrapped(config: dict[str, Any], targets: dict[str, str] | None, steps: list[Parametrization]) -> dict[str, Any]:
    """A layer's configuration in that of a wrapper."""
    if not targets:
        return config
    return {
        "module": "weightkit.layers.parametrized.wrapper",
        "class_name": "Parametrized",
        "registered_name": "weightkit>Parametrized",
        "config": {
            "name": config["config"]["name"],
            "trainable": config["config"].get("trainable", True),
            "layer": config,
            "weights": {"**": [keras.saving.serialize_keras_object(one) for one in steps]},
            "targets": {"**": targets},
        },
    }


def _freeze_alike(model: Any, made: Any, targets: Mapping[int, Any], *, adapts: bool, below: bool = False) -> None:
    """Freeze the layers of a new model that are frozen in the old one, since Keras unfreezes what it makes again.

    Args:
        model: The old one.
        made: The new one.
        targets: For the ``id`` of each old layer what is computed of it.
        adapts: Whether wrappers are trained around frozen layers, and so the models that hold them.
        below: Whether a model that holds this one is frozen.
    """
    below = below or not model.trainable
    made.trainable = adapts or not below
    for old, new in zip(model.layers, made.layers, strict=True):
        if is_listed(old):
            _freeze_alike(old, new, targets, adapts=adapts, below=below)
            continue
        is_wrapper = bool(targets[id(old)])
        new.trainable = (adapts and is_wrapper) or (old.trainable and not below)
        inner = new.layer if is_wrapper else new
        for one, other in zip(old._flatten_layers(), inner._flatten_layers(), strict=True):  # noqa: SLF001
            other.trainable = one.trainable and not below
        if is_wrapper:
            new._freeze()  # noqa: SLF001  # the layer inside was unfrozen as a whole


def _copy_added(source: Any, target: Any) -> None:
    """Copy what wrappers that were there before have added."""
    ours, theirs = (
        [one for one in layer._flatten_layers() if isinstance(one, Parametrized)]  # noqa: SLF001
        for layer in (source, target)
    )
    for old, new in zip(ours, theirs, strict=True):
        for one, other in zip(old.computed, new.computed, strict=True):
            for (_, added), (_, into) in zip(one.steps, other.steps, strict=True):
                for key, variable in added.items():
                    into[key].variable.assign(own_copy(variable.variable.value))

"""Wrap layers of a live model in place, and take them out of their wrappers again."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.layers.parametrizations.held import Held
from weightkit.layers.parametrized.chosen_weights import chosen_weights, targets_in
from weightkit.layers.parametrized.rebuilding import separate_copy
from weightkit.layers.parametrized.replacing.live_objects import LiveObjects, inside, look_around
from weightkit.layers.parametrized.replacing.replacement import Replacement
from weightkit.layers.parametrized.restored_variables import restore_variables_on_error
from weightkit.layers.parametrized.wrapper import Parametrized
from weightkit.layers.parametrized.wrapping import forget_wrapper, note_wrapper, outermost
from weightkit.restore_on_error import restore_on_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np

    from weightkit.access import Where
    from weightkit.layers.parametrizations.parametrization import Parametrization

_COPY = "use weightkit.layers.parametrize, which makes a new model"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which weights to compute, and how."""

    key: str
    """What the wrapper's configuration calls it."""
    where: Where
    steps: Sequence[Parametrization]
    exclude: Where = None


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """What wrapping changes of a layer's own variables."""

    variables: tuple[tuple[Any, Any, Any, bool], ...]
    """Each with its constraint, regularizer and flag."""

    @classmethod
    def of(cls, layers: Iterable[Any]) -> _Settings:
        variables = {id(one): one for layer in layers for one in layer.variables}
        return cls(tuple((one, one.constraint, one.regularizer, one.trainable) for one in variables.values()))

    def put_back(self, *, flags: bool = True) -> None:
        for variable, constraint, regularizer, trainable in self.variables:
            variable.constraint, variable.regularizer = constraint, regularizer
            if flags:
                variable.trainable = trainable


class InPlace:
    """Layers of live models that are in wrappers which took their places."""

    def __init__(
        self, model: Any, pairs: Sequence[tuple[Any, Any]], settings: _Settings, models: Sequence[Any]
    ) -> None:
        self._model, self._pairs, self._settings = weakref.ref(model), tuple(pairs), settings
        self._models = tuple(weakref.ref(one) for one in models)  # a plan that is kept keeps none of them

    @property
    def models(self) -> list[Any]:
        """Every live model that holds the wrappers, at any depth."""
        return [model for model in (one() for one in self._models) if model is not None]

    def held(self) -> dict[int, tuple[Any, np.ndarray]]:
        """By ``id`` of each variable with `Held`, the variable and a mask of the held entries; none once released."""
        computed = (one for _, wrapper in self._pairs for one in wrapper.computed)
        steps = ((one.weight.variable, step, added) for one in computed for step, added in one.steps)
        return {
            id(variable): (variable, step.present_mask(added))
            for variable, step, added in steps
            if isinstance(step, Held)
        }

    @contextlib.contextmanager
    def released(self) -> Iterator[Sequence[Any]]:
        """Take the layers out of their wrappers: their weights get the computed values, bit for bit.

        On an error in the block, they are in the wrappers again, and all is as before. Nothing is done a second time.

        Yields:
            Every live model that holds them now.

        Raises:
            RequestError: A wrapper is in another one by now.
        """
        if not self._pairs:
            yield ()
            return
        for _, wrapper in self._pairs:
            if outermost(wrapper) is not wrapper:
                raise RequestError(f"{wrapper.name} must not be in another wrapper", hint="use weightkit.layers.bake")
        now = _Settings.of(layer for layer, _ in self._pairs)
        values = {key: separate_copy(one) for _, wrapper in self._pairs for key, one in wrapper.values().items()}
        live = look_around(self._model(), [wrapper for _, wrapper in self._pairs])
        back = Replacement(live, [(wrapper, layer) for layer, wrapper in self._pairs])
        with (
            restore_on_error(self._note),
            restore_on_error(now.put_back),
            restore_on_error(back.put_back),
            restore_variables_on_error([variable for variable, *_ in now.variables], ()),
        ):
            back.apply()
            self._settings.put_back(flags=False)
            for variable, *_ in now.variables:
                if id(variable) in values:
                    variable.assign(values[id(variable)])
            _forget(self._pairs)
            yield back.models
        self._pairs = ()  # the wrappers are needed no more

    def _note(self) -> None:
        for layer, wrapper in self._pairs:
            note_wrapper(layer, wrapper)


@contextlib.contextmanager
def wrapped_in_place(model: Any, choices: Sequence[Choice]) -> Iterator[InPlace]:
    """Wrap the layers of a model that have the chosen weights: every live model holds the wrapper in the layer's stead.

    Each layer of the model and of models in it is wrapped as a whole, as `parametrize` wraps it. Its variables stay the
    same objects. The models are not compiled again. On an error in the block, everything is as before.

    Args:
        model: A built model, or a layer with layers in it.
        choices: The weights.

    Raises:
        RequestError: A weight is the model's own, is computed already, or a live layer outside of the wrapped one uses
            it too; a wrapper cannot be made, or put in the layer's place.
        SelectionError: As `chosen_weights`.
    """
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"model must be a model of Keras 3, got {type(model).__name__}")
    _require_base(choices)
    chosen = [chosen_weights(model, one.where, one.exclude, list(one.steps)) for one in choices]
    layers = [layer for layer in _layers_of(model) if {id(v) for v in layer.variables} & set().union(*chosen)]
    _require_found(model, layers, choices, chosen)
    live = look_around(model, layers)
    for layer in layers:
        _require_replaceable(live, layer)
    adapting = [one for one in choices if any(step.freezes_base for step in one.steps)]
    _require_trained(live, layers if adapting else [])
    settings = _Settings.of(layers)
    pairs: list[tuple[Any, Any]] = []
    with restore_on_error(settings.put_back), restore_on_error(lambda: _forget(pairs)):
        for layer in layers:
            pairs.append((layer, _wrapper(layer, choices, chosen)))  # noqa: PERF401  # an error undoes those so far
        replacement = Replacement(live, pairs)
        with restore_on_error(replacement.put_back):
            replacement.apply()
            yield InPlace(model, pairs, settings, replacement.models)


def _layers_of(model: Any) -> list[Any]:
    """The layers of a model and of models in it, without these models, each once."""
    found: dict[int, Any] = {}
    waiting, seen = [model], {id(model)}
    while waiting:
        for layer in waiting.pop(0)._layers:  # noqa: SLF001
            if not isinstance(layer, keras.Model):
                found[id(layer)] = layer
            elif id(layer) not in seen:
                seen.add(id(layer))
                waiting.append(layer)
    return list(found.values())


def _wrapper(layer: Any, choices: Sequence[Choice], chosen: Sequence[set[int]]) -> Parametrized:
    """A built wrapper around a layer that is part of a model."""
    labels: set[str] = set()
    targets = {one.key: targets_in(layer, found, labels) for one, found in zip(choices, chosen, strict=True)}
    targets = {key: found for key, found in targets.items() if found}
    with _without_calls(layer):
        made = Parametrized(layer, {one.key: list(one.steps) for one in choices if one.key in targets}, targets=targets)
    made._parent_path = layer._parent_path  # noqa: SLF001  # the added variables' paths begin as those of the layer
    with restore_on_error(lambda: forget_wrapper(layer)):
        made.build()
    return made


@contextlib.contextmanager
def _without_calls(layer: Any) -> Iterator[None]:
    """Hide that a layer is part of a model, which a wrapper refuses where it does not take the layer's place."""
    nodes = layer._inbound_nodes  # noqa: SLF001
    calls = list(nodes)
    list.clear(nodes)
    try:
        yield
    finally:
        list.__setitem__(nodes, slice(None), calls)


def _forget(pairs: Iterable[tuple[Any, Any]]) -> None:
    for layer, _ in pairs:
        forget_wrapper(layer)


def _require_base(choices: Sequence[Choice]) -> None:
    gone = next((step for one in choices for step in one.steps if not step.keeps_base), None)
    if gone is not None:
        raise RequestError(f"{type(gone).__name__} must not be applied in place: the weight would be lost", hint=_COPY)


def _require_found(model: Any, layers: Sequence[Any], choices: Sequence[Choice], chosen: Sequence[set[int]]) -> None:
    """Refuse weights that no wrapper can compute, and those that are chosen twice."""
    taken: dict[int, str] = {}
    for choice, found in zip(choices, chosen, strict=True):
        for key in found:
            if key in taken:
                raise RequestError(
                    f"a weight must be selected once, got {taken[key]!r} and {choice.key!r}",
                    hint="give an array of booleans for several parts of one weight",
                )
            taken[key] = choice.key
    held = {id(variable) for layer in layers for variable in layer.variables}
    outside = next((choice for key, choice in taken.items() if key not in held), None)
    if outside is not None:
        raise RequestError(
            f"{outside!r} selects a weight of {model.name} itself, which is in no layer that can be wrapped",
            hint="give the model that holds it",
        )


def _require_replaceable(live: LiveObjects, layer: Any) -> None:
    """Refuse a layer that is wrapped, or has layers that others use directly."""
    within = inside(layer)
    if any(isinstance(one, Parametrized) for one in within.values()):
        raise RequestError(
            f"the layer {layer.name!r} is in a wrapper already, and must not be wrapped in place once more",
            hint=f"give all parametrizations in one call, undo what wrapped it, or {_COPY}",
        )
    for one in within.values():
        other = next((parent for parent in live.parents(one) if one is not layer and id(parent) not in within), None)
        if other is not None:
            raise RequestError(
                f"{other.name!r} uses {one.name!r}, which is in {layer.name!r}, and would go on using it unwrapped",
                hint=_COPY,
            )


def _require_trained(live: LiveObjects, layers: Sequence[Any]) -> None:
    """Refuse to add factors within a frozen model, which would not be trained."""
    frozen = next((one for one in live.above(layers) if not one.trainable), None)
    if frozen is not None:
        raise RequestError(
            f"{frozen.name!r} is frozen, and what is added in it would not be trained",
            hint=f"set {frozen.name}.trainable = True, then call freeze for its layers; or {_COPY}",
        )

"""Layers that are given as objects, by their own names, or without weights, as parts of a selection for freezing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from weightkit.access import Kind, Source, WeightRef, combine, selected
from weightkit.errors import SelectionError
from weightkit.text import listed
from weightkit.training.freezing.written_entries import require_no_index, require_no_mapping
from weightkit.training.model.layer_order import layers_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from weightkit.access import Selector, Where
    from weightkit.training.model.model_view import ModelView

LayerWhere: TypeAlias = "Where | keras.layers.Layer | Iterable[str | Selector | keras.layers.Layer]"
"""What freezing takes: a selection, a layer object, an ``Input``, or a list of these."""


_SHOWN = 8
"""How many selections of a long list a plan prints."""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """Selects the weights of some layers, which are found by identity."""

    names: str
    refs: frozenset[WeightRef]

    def __call__(self, ref: WeightRef) -> bool:
        """Whether a weight is in one of the layers."""
        return ref in self.refs

    def __repr__(self) -> str:
        return self.names


@dataclass(frozen=True, slots=True)
class ChosenLayers:
    """One argument, ``where`` or ``exclude``, with its layers found."""

    choices: tuple[Any, ...]
    """Selections with weights, for `weightkit.access.selected`."""
    without_weights: dict[str, Any]
    """Layers that have no weights to train, by path."""
    text: str
    """The argument, as plans print it."""

    @classmethod
    def of(cls, finder: Layers, given: LayerWhere) -> ChosenLayers:
        """Find the layers that an argument names.

        Raises:
            SelectionError: It is malformed, a path in it leads to nothing, or a layer is not in the model.
        """
        require_no_mapping(given, finder.label)
        choices: list[Any] = []
        layers: list[Any] = []
        texts: list[str] = []
        without: dict[str, Any] = {}
        for choice in choices_in(given):
            found = finder.layers(choice)
            weightless = {} if found else finder.weightless(choice)
            layers += found
            without |= weightless
            choices += [] if found or weightless else [choice]
            texts += [*map(finder.path, found)] or [str(combine(choice)[0])]
        without |= {finder.path(layer): layer for layer in layers if not finder.refs([layer])}
        names = [finder.path(layer) for layer in layers]
        # One selection for all of them: each is asked of every weight.
        by_identity = [LayerChoice(_joined(names), refs)] if (refs := finder.refs(layers)) else []
        return cls((*by_identity, *choices), without, _joined(texts))

    def notes(self) -> tuple[str, ...]:
        """What to say of layers without weights."""
        return (f"{listed(self.without_weights)}: no weights to train",) if self.without_weights else ()


class Layers:
    """The layers of one model, to be found by what is given for them."""

    def __init__(self, view: ModelView) -> None:
        self.label = view.label
        self._view = view
        self._paths: dict[int, str] = {}
        self._named: dict[str, list[Any]] = {}
        self._layers: list[tuple[str, Any]] = list(layers_in_order(view.model))
        for path, layer in self._layers:
            self._paths[id(layer)] = path
            self._named.setdefault(path, []).append(layer)
        self._refs: dict[int, set[WeightRef]] = {}
        for ref, variable in view.parameters.items():
            self._refs.setdefault(id(variable), set()).add(ref)
        for ref, layer in view.normalizations.items():
            self._refs.setdefault(id(layer), set()).add(ref)

    def layers(self, choice: Any) -> list[Any]:
        """The layers that a choice is: one object, or those of exactly this path; none for other selections."""
        if isinstance(choice, str):
            return self._named.get(choice, [])
        layer = _layer_of(choice)
        if layer is None:
            return []
        if not any(id(one) in self._paths or one is self._view.model for one in layer._flatten_layers()):  # noqa: SLF001
            raise SelectionError(
                f"the layer '{layer.name}' is not in the model",
                hint="give a layer of this model, or its name",
                file=self._view.label,
            )
        return [layer]

    def matches(self, choice: Any) -> bool:
        """Whether a choice selects whole weights or layers, such as a glob with brackets."""
        try:
            self._weightless(choice)
        except SelectionError:
            return bool(self.layers(choice))
        return True

    def path(self, layer: Any) -> str:
        """What plans call a layer; a base whose layers are in the model is no layer of it."""
        return self._paths.get(id(layer)) or str(layer.name)

    def refs(self, layers: Iterable[Any]) -> frozenset[WeightRef]:
        """The weights in layers, of those that can be trained or are moving statistics."""
        inside = [one for layer in layers for one in layer._flatten_layers()]  # noqa: SLF001
        things = [thing for one in inside for thing in (one, *one._trainable_variables)]  # noqa: SLF001
        return frozenset(ref for thing in things for ref in self._refs.get(id(thing), ()))

    def weightless(self, choice: Any) -> dict[str, Any]:
        """The layers that a path matches, where it matches no weight that can be trained.

        Raises:
            SelectionError: The path is malformed, is an index of a weight, or matches neither a weight nor a layer.
        """
        try:
            return self._weightless(choice)
        except SelectionError:
            require_no_index(choice, self._view.label)
            raise

    def _weightless(self, choice: Any) -> dict[str, Any]:
        selector = combine(choice)[0] if isinstance(choice, str) else None
        if selector is None or not selector.is_path or any(selector(ref) for ref in self._known()):
            return {}
        return _matching(self._view, self._layers, selector)

    def _known(self) -> Iterator[WeightRef]:
        yield from self._view.parameters
        yield from self._view.normalizations


def matching_layers(view: ModelView, where: Where) -> dict[str, Any]:
    """The layers that a selection matches, by path, with or without weights; those around others come first.

    Raises:
        SelectionError: It is malformed, or matches nothing.
    """
    return _matching(view, layers_in_order(view.model), where)


def _matching(view: ModelView, layers: Iterable[tuple[str, Any]], where: Where) -> dict[str, Any]:
    stand_ins = {_stand_in(path, layer): (path, layer) for path, layer in layers}
    # Among the weights too, whose names are suggested where nothing matches.
    everything = _Everything(view.label, (*view.refs, *stand_ins))
    return dict(stand_ins[ref] for ref in selected(everything, where).refs if ref in stand_ins)


@dataclass(frozen=True, slots=True)
class _Everything:
    """Weights, and stand-ins for layers."""

    label: str
    refs: Sequence[WeightRef]
    ordered: bool = True

    def __iter__(self) -> Iterator[WeightRef]:
        return iter(self.refs)


def choices_in(given: Any) -> Iterator[Any]:
    """Each choice of an argument that is one or a list of them."""
    single: tuple[type | Callable[..., Any], ...] = (str, keras.layers.Layer, keras.KerasTensor)
    if isinstance(given, single) or callable(given) or not isinstance(given, Iterable):  # type: ignore[arg-type]
        given = () if given is None else (given,)
    yield from given


def _layer_of(choice: Any) -> Any:
    """The layer that a choice is, or that made it, as for an ``Input``; None where it is something else."""
    if isinstance(choice, keras.KerasTensor):
        choice = choice._keras_history.operation  # noqa: SLF001  # Keras 3.15 has no public accessor
    return choice if isinstance(choice, keras.layers.Layer) else None


def _joined(names: Sequence[str]) -> str:
    """Selections as a plan prints them, as a union; the first few of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return " | ".join(names[:_SHOWN]) + more


def _stand_in(path: str, layer: Any) -> WeightRef:
    """An address that the path of a layer matches, as if it had a weight without a name."""
    return WeightRef(
        structure=f"{path}/0",
        layer=None,
        index=0,
        name=None,
        shape=(),
        dtype=np.dtype("float32"),
        kind=Kind.STATE,
        layer_class=type(layer).__name__,
        trainable=False,
        known_from=Source.MODEL,
    )

"""How much of a model is trained: layer by layer, and in total."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.escape import escape
from weightkit.html import table
from weightkit.training.checking.findings import unsaved_notes
from weightkit.training.model.held_notes import held_notes
from weightkit.training.model.inventory import ModelWeights
from weightkit.training.model.model_view import is_batch_norm
from weightkit.training.optimizer.rates import present_rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.training.model.inventory import ModelWeight

_HEADINGS = ("layer", "class", "trainable", "frozen", "other", "bytes", "statistics", "learning rate")
_RIGHT = {"trainable", "frozen", "other", "bytes"}
_MOST_ROWS = 40
"""Layers that are printed one by one; in a larger model, neighbors that are trained the same way share a line."""


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """How much of one layer's own weights is trained."""

    layer: str
    """The names of the layers around it and its own; empty for weights of the model itself."""
    layer_class: str | None
    trainable: int
    """Elements that are trained."""
    frozen: int
    """Elements that can be trained, and are not."""
    other: int
    """Elements that are never trained: statistics, seeds, counters."""
    nbytes: int
    """Bytes of all of them."""
    statistics: str
    """``updated``, ``frozen`` or ``fixed`` (never updated in training); empty where it has no statistics."""
    learning_rates: tuple[float, ...]
    """The present learning rates of its trained weights, each once; empty where nothing is trained or compiled."""

    @property
    def parameters(self) -> int:
        """All its elements, as Keras counts parameters."""
        return self.trainable + self.frozen + self.other

    @property
    def treatment(self) -> tuple[object, ...]:
        """What is equal for layers that share a line."""
        return bool(self.trainable), bool(self.frozen), self.statistics, self.learning_rates

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON."""
        return {
            "layer": self.layer,
            "class": self.layer_class,
            "trainable": self.trainable,
            "frozen": self.frozen,
            "other": self.other,
            "parameters": self.parameters,
            "bytes": self.nbytes,
            "statistics": self.statistics or None,
            "learning_rates": list(self.learning_rates),
        }


@dataclass(frozen=True, slots=True)
class TrainableSummary:
    """How much of a model is trained; made by `trainable_summary`."""

    model: str
    layers: tuple[LayerSummary, ...]
    """Layers with weights of their own, in the order of saving; a shared layer once."""
    notes: tuple[str, ...] = ()
    """Of which weights some entries are held, and which Keras never saves."""

    @property
    def trainable(self) -> int:
        """Elements that are trained."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def frozen(self) -> int:
        """Elements that can be trained, and are not."""
        return sum(layer.frozen for layer in self.layers)

    @property
    def other(self) -> int:
        """Elements that are never trained."""
        return sum(layer.other for layer in self.layers)

    @property
    def parameters(self) -> int:
        """All elements."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(layer.nbytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON: every layer, and the totals."""
        return {
            "schema": "weightkit.trainable/1",
            "model": self.model,
            "layers": [layer.to_dict() for layer in self.layers],
            "totals": {
                "trainable": self.trainable,
                "frozen": self.frozen,
                "other": self.other,
                "parameters": self.parameters,
                "bytes": self.nbytes,
            },
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        counts = f"{self.trainable} of {self.parameters} parameters are trained"
        return f"<TrainableSummary of {escape(self.model)}: {counts}>"

    def __str__(self) -> str:
        rows = [
            _HEADINGS,
            *(self._folded() if len(self.layers) > _MOST_ROWS else map(_row, self.layers)),
            self._total(),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [*(_line(row, widths) for row in rows), *(f"note: {note}" for note in self.notes)]
        return "\n".join([escape(f"{self.model}: {self._share()}"), *(escape(line) for line in lines)])

    def _repr_html_(self) -> str:
        rows = [*map(_row, self.layers)] if len(self.layers) <= _MOST_ROWS else list(self._folded())
        return table(f"{self.model}: {self._share()}", _HEADINGS, [*rows, self._total()], self.notes)

    def _share(self) -> str:
        count = len(self.layers)
        percent = 100 * self.trainable / self.parameters if self.parameters else 0.0
        layers = f"{count} layer{'' if count == 1 else 's'} with weights"
        return f"{layers}, {self.trainable:,} of {self.parameters:,} parameters trained ({percent:.3g} %)"

    def _total(self) -> tuple[str, ...]:
        return ("total", "", *_numbers([self]), "", "")

    def _folded(self) -> Iterator[tuple[str, ...]]:
        """One line for each run of layers that are trained the same way."""
        for _, run in groupby(self.layers, lambda layer: layer.treatment):
            layers = list(run)
            yield _row(layers[0]) if len(layers) == 1 else _run(layers)


def trainable_summary(model: Any) -> TrainableSummary:
    """Count what is trained and frozen in a model, layer by layer, with the learning rates, by the present flags.

    A weight counts as trainable where it is in ``model.trainable_variables``; one that can be trained and is not counts
    as frozen. `check_model` finds flags that changed after the model was compiled.

    Args:
        model: A built model of Keras 3, or a layer.

    Returns:
        A summary that prints as a table, displays in notebooks, and has `to_dict`.

    Raises:
        RequestError: It is not a model of Keras 3, or is not built.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential(layers, name="small")
        >>> model.get_layer("body").trainable = False
        >>> print(trainable_summary(model))
        Sequential 'small': 2 layers with weights, 4 of 13 parameters trained (30.8 %)
        layer  class  trainable  frozen  other  bytes  statistics  learning rate
        body   Dense          0       9      0     36
        head   Dense          4       0      0     16
        total                 4       9      0     52
    """
    weights = ModelWeights.of(model)
    rates = present_rates(getattr(model, "optimizer", None), [one.variable for one in weights if one.is_trained])
    by_layer: dict[tuple[str, int], list[ModelWeight]] = {}
    for weight in weights:
        # Two layers may have one name, so the layer itself is part of the key.
        by_layer.setdefault((_name(weight), id(weight.owner)), []).append(weight)
    layers = tuple(_summary(layer, found, rates) for (layer, _), found in by_layer.items())
    notes = (*held_notes(weights.view.layers), *unsaved_notes(weights))
    return TrainableSummary(weights.label, layers, notes)


def _name(weight: ModelWeight) -> str:
    ref = weight.ref
    return ref.owner.removesuffix("/vars") if ref.layer is None else ref.layer


def _summary(layer: str, weights: Sequence[ModelWeight], rates: dict[int, float]) -> LayerSummary:
    trained = [weight for weight in weights if weight.is_trained]
    frozen = [weight for weight in weights if weight.is_parameter and not weight.is_trained]
    other = [weight for weight in weights if not weight.is_parameter and not weight.is_trained]
    # A dictionary, since a set would lose the order.
    present_rates = dict.fromkeys(rates[id(weight.variable)] for weight in trained if id(weight.variable) in rates)
    return LayerSummary(
        layer,
        weights[0].ref.layer_class,
        _elements(trained),
        _elements(frozen),
        _elements(other),
        sum(weight.ref.nbytes for weight in weights),
        statistics_of(weights),
        tuple(present_rates),
    )


def statistics_of(weights: Iterable[ModelWeight]) -> str:
    """Whether training updates the statistics among a layer's weights; empty where there are none."""
    owner = next((weight.owner for weight in weights if weight.ref.kind is Kind.STATISTIC), None)
    if owner is None:
        return ""
    if not is_batch_norm(owner):
        return "fixed"
    # The layer's flag alone decides, not those of gamma and beta (Keras 3.15).
    return "updated" if owner.trainable else "frozen"


def _elements(weights: Iterable[ModelWeight]) -> int:
    return sum(weight.ref.size for weight in weights)


def _numbers(layers: Sequence[LayerSummary] | Sequence[TrainableSummary]) -> tuple[str, ...]:
    fields = ("trainable", "frozen", "other", "nbytes")
    return tuple(f"{sum(getattr(layer, name) for layer in layers):,}" for name in fields)


def _row(layer: LayerSummary) -> tuple[str, ...]:
    rates = ", ".join(f"{rate:.6g}" for rate in layer.learning_rates)
    return (layer.layer or ".", layer.layer_class or "", *_numbers([layer]), layer.statistics, rates)


def _run(layers: Sequence[LayerSummary]) -> tuple[str, ...]:
    first = _row(layers[0])
    names = f"{layers[0].layer or '.'} ... {layers[-1].layer or '.'}"
    return (names, f"{len(layers)} layers", *_numbers(layers), first[-2], first[-1])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if heading in _RIGHT else cell.ljust(width)
        for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
    ]
    return "  ".join(cells).rstrip()

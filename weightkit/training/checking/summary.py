"""What of a model is trained: layer by layer, and in all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from weightkit.access import Kind
from weightkit.escape import escape
from weightkit.html import table
from weightkit.training.model.batch_norm import is_batch_norm
from weightkit.training.model.inventory import Weights
from weightkit.training.optimizer.rates import learning_rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.training.model.inventory import Weight

_HEADINGS = ("layer", "class", "trainable", "frozen", "other", "bytes", "statistics", "learning rate")
_RIGHT = {"trainable", "frozen", "other", "bytes"}
_MOST = 40
"""Layers that a terminal shows one by one; of a larger model, neighbors that are treated alike share a line."""


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """What of one layer's own weights is trained."""

    layer: str
    """The names of the layers around it and its own; empty for what the model itself made."""
    layer_class: str | None
    trainable: int
    """Elements that a training step changes by their gradients."""
    frozen: int
    """Elements that were made to be trained, and are not."""
    other: int
    """Elements that are never trained: statistics, seeds, counters."""
    nbytes: int
    """Bytes of all of them."""
    statistics: str
    """``updated``, ``held`` or ``fixed`` (no training step changes them); empty where it has none."""
    learning_rates: tuple[float, ...]
    """At which its trainable weights are trained now, each once; empty where none is, or nothing is compiled."""

    @property
    def parameters(self) -> int:
        """All its elements, as Keras counts parameters."""
        return self.trainable + self.frozen + self.other

    @property
    def treatment(self) -> tuple[object, ...]:
        """What it has in common with layers that are treated alike."""
        return bool(self.trainable), bool(self.frozen), self.statistics, self.learning_rates

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
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
    """What of a model is trained; made by `trainable_summary`."""

    model: str
    layers: tuple[LayerSummary, ...]
    """Those that have weights of their own, in the order in which they are saved; a shared layer once."""

    @property
    def trainable(self) -> int:
        """Elements that a training step changes by their gradients."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def frozen(self) -> int:
        """Elements that were made to be trained, and are not."""
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
        """As JSON: every layer, and the totals."""
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
        }

    def __repr__(self) -> str:
        return f"<TrainableSummary of {self.model}: {self.trainable} of {self.parameters} parameters are trained>"

    def __str__(self) -> str:
        rows = [_HEADINGS, *(self._folded() if len(self.layers) > _MOST else map(_row, self.layers)), self._total()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [_line(row, widths) for row in rows]
        return "\n".join([escape(f"{self.model}: {self._share()}"), *(escape(line) for line in lines)])

    def _repr_html_(self) -> str:
        rows = [*map(_row, self.layers)] if len(self.layers) <= _MOST else list(self._folded())
        return table(f"{self.model}: {self._share()}", _HEADINGS, [*rows, self._total()])

    def _share(self) -> str:
        count = len(self.layers)
        percent = 100 * self.trainable / self.parameters if self.parameters else 0.0
        layers = f"{count} layer{'' if count == 1 else 's'} with weights"
        return f"{layers}, {self.trainable:,} of {self.parameters:,} parameters trained ({percent:.3g} %)"

    def _total(self) -> tuple[str, ...]:
        return ("total", "", *_numbers([self]), "", "")

    def _folded(self) -> Iterator[tuple[str, ...]]:
        """Runs of layers that are treated alike, a line each."""
        for _, run in groupby(self.layers, lambda layer: layer.treatment):
            layers = list(run)
            yield _row(layers[0]) if len(layers) == 1 else _run(layers)


def trainable_summary(model: Any) -> TrainableSummary:
    """What of a model is trained, and at which learning rate, as the flags are now.

    A weight counts as trainable where the model itself says that a training step would change it; what was made to be
    trained and is not counts as frozen. Whether a model that was compiled earlier keeps to flags that were set since
    is what `check_model` tells.

    Args:
        model: A model of Keras 3 that has been built; or a layer.

    Returns:
        A summary that prints as a table, shows itself in notebooks, and has `to_dict`.

    Raises:
        RequestError: It is no model of Keras 3, or has not been built.

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
    weights = Weights.of(model)
    rates = learning_rates(getattr(model, "optimizer", None), [one.variable for one in weights if one.trains])
    by_layer: dict[tuple[str, int], list[Weight]] = {}
    for weight in weights:
        by_layer.setdefault((_name(weight), id(weight.owner)), []).append(weight)
    return TrainableSummary(weights.label, tuple(_summary(layer, own, rates) for (layer, _), own in by_layer.items()))


def _name(weight: Weight) -> str:
    ref = weight.ref
    return ref.owner.removesuffix("/vars") if ref.layer is None else ref.layer


def _summary(layer: str, weights: Sequence[Weight], rates: dict[int, float]) -> LayerSummary:
    trained = [weight for weight in weights if weight.trains]
    frozen = [weight for weight in weights if weight.is_parameter and not weight.trains]
    other = [weight for weight in weights if not weight.is_parameter and not weight.trains]
    own_rates = dict.fromkeys(rates[id(weight.variable)] for weight in trained if id(weight.variable) in rates)
    return LayerSummary(
        layer,
        weights[0].ref.layer_class,
        _elements(trained),
        _elements(frozen),
        _elements(other),
        sum(weight.ref.nbytes for weight in weights),
        statistics_of(weights),
        tuple(own_rates),
    )


def statistics_of(weights: Iterable[Weight]) -> str:
    """Whether a training step updates the statistics among a layer's weights; empty where there are none."""
    owner = next((weight.owner for weight in weights if weight.ref.kind is Kind.STATISTIC), None)
    if owner is None:
        return ""
    if not is_batch_norm(owner):
        return "fixed"
    return "updated" if owner.trainable else "held"


def _elements(weights: Iterable[Weight]) -> int:
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

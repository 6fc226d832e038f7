"""What the weights of one layer need to come from another one: names, layouts, forms and types of all eras."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access import Kind
from weightkit.errors import RequestError
from weightkit.transforms.loading.conversion import Conversion, Conversions
from weightkit.transforms.loading.convolutions import KERNELS, classes_of, is_mirrored, mirrored, notes_on_padding
from weightkit.transforms.loading.facts import LayerFacts
from weightkit.transforms.loading.flattened import rows_permuted
from weightkit.transforms.loading.hard_sigmoid import Gates, notes_on_activation
from weightkit.transforms.loading.keras1_layout import in_keras_1_layout, in_todays_layout
from weightkit.transforms.loading.keras1_names import gates_in, is_keras_1, meaning, whole_weights
from weightkit.transforms.loading.low_rank import with_updates
from weightkit.transforms.loading.recurrent import Form, form_of, in_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weightkit.access import WeightRef
    from weightkit.transforms.loading.hard_sigmoid import HardSigmoid

Weights = dict[str, Conversion]
_NOTHING = LayerFacts()
_OLD = (None, 1)
"""Major versions of Keras that a file with names of Keras 1 may be of: most do not say it."""
_RECURRENT = ("kernel", "recurrent_kernel", "bias")
_DIRECTIONS = ("forward", "backward")


def conversions(
    ours: Sequence[WeightRef],
    theirs: Sequence[WeightRef],
    *,
    target: LayerFacts = _NOTHING,
    source: LayerFacts = _NOTHING,
    hard_sigmoid: HardSigmoid = "keep",
) -> Conversions:
    """What is needed to fill the weights of a layer from those of another one.

    Reads no values. A weight that is copied as it is, is not among them; nor is one that the source lacks.

    Args:
        ours: The weights of one layer of the target; both directions of a Bidirectional together.
        theirs: The weights of the layer that it was matched with.
        target: What else is known of the target's layer.
        source: What else is known of the source's layer.
        hard_sigmoid: ``rescale`` multiplies the gates of recurrent layers where `hard_sigmoid` differs between the two
            versions of Keras, so that both compute the same; ``keep`` leaves them, with a note.

    Raises:
        RequestError: No conversion makes one from the other, or what it takes is not known; it says why.
    """
    made = [
        _Pair(first, second, target, source).conversions(hard_sigmoid) for first, second in _single_layers(ours, theirs)
    ]
    of = {ref: conversion for one in made for ref, conversion in one}
    return Conversions(of, tuple(dict.fromkeys(note for one in made for note in one.notes)))


class _Pair:
    """A layer of the target and one of the source, with no layers inside."""

    def __init__(
        self, ours: Sequence[WeightRef], theirs: Sequence[WeightRef], target: LayerFacts, source: LayerFacts
    ) -> None:
        self._ours, self._theirs, self._target, self._source = ours, theirs, target, source
        self._classes = classes_of(target, source)
        self._old_target = is_keras_1(ours) and target.major in _OLD
        self._old_source = is_keras_1(theirs) and source.major in _OLD
        names = {ref.name for ref in ours if ref.name}
        self._kept = names if self._old_source else names | {ref.name for ref in theirs if ref.name}
        self._by_meaning = {meaning(ref.name, names): ref for ref in ours if ref.name}
        self._notes: list[str] = []

    def conversions(self, hard_sigmoid: HardSigmoid) -> Conversions:
        """Convert step by step: layout, mirroring, form, gates, rows, name and type."""
        self._require_possible()
        if self._old_target:
            found = {ref: self._as_keras_1(there) for ref, there in self._same_names()}
        else:
            weights = whole_weights(self._theirs, self._in_todays_layout, self._kept)
            weights = self._recurrent(self._mirrored(weights), hard_sigmoid)
            weights = self._with_rows_in_order(with_updates(weights, self._by_meaning, self._source))
            found = {ref: weights[meant] for meant, ref in self._by_meaning.items() if meant in weights}
        named = {ref: _named(ref, conversion).to(ref.dtype) for ref, conversion in found.items()}
        return Conversions({ref: one for ref, one in named.items() if one.steps}, tuple(self._notes))

    def _require_possible(self) -> None:
        quantized = [any(ref.kind is Kind.QUANTIZATION for ref in refs) for refs in (self._ours, self._theirs)]
        if quantized[0] != quantized[1]:
            which = "target" if quantized[0] else "source"
            raise RequestError(
                f"the {which}'s layer is quantized and the other one is not",
                hint="give two that are quantized in the same way, or not at all",
            )
        if self._old_target and not self._old_source:
            raise RequestError(
                "weights of a later Keras cannot be put into a file of Keras 1",
                hint="load the file of Keras 1 into a model, and load the weights into that",
            )

    def _in_todays_layout(self, ref: WeightRef) -> Conversion:
        if not self._old_source:
            return Conversion.of(ref)
        own = ref.name or ""
        gates = gates_in(own)
        meant = meaning(own.partition("_")[0] if gates else own, {one.name for one in self._theirs if one.name})
        target = self._by_meaning.get(meant)
        if target is None or meant not in KERNELS:
            return Conversion.of(ref)
        wanted = (*target.shape[:-1], target.shape[-1] // gates) if gates else target.shape
        return in_todays_layout(ref, wanted, self._classes, self._source.channels)

    def _mirrored(self, weights: Weights) -> Weights:
        changes = self._changes_mirroring(weights)
        return {meant: mirrored(one) if meant in changes else one for meant, one in weights.items()}

    def _changes_mirroring(self, weights: Mapping[str, Conversion]) -> set[str]:
        """Which weights the one side mirrors and the other does not."""
        kinds = {meant: is_mirrored(meant, len(one.shape), self._classes) for meant, one in weights.items()}
        there, here = self._source.mirrors(self._theirs), self._target.mirrors(self._ours)
        if not any(kind is not False for kind in kinds.values()) or there == here:
            return set()
        if there is None or here is None:
            self._notes.append(_unknown_backend("source" if there is None else "target"))
            return set()
        if None in kinds.values():
            raise RequestError(
                "Theano mirrors the kernels of a Conv1D and not those of a LocallyConnected1D, and nothing says which "
                "this layer is",
                hint="give a target or a source that has its configuration",
            )
        self._notes.extend(notes_on_padding(self._source if there else self._target))
        return {meant for meant, kind in kinds.items() if kind}

    def _recurrent(self, weights: Weights, hard_sigmoid: HardSigmoid) -> Weights:
        theirs = form_of({meant: one.shape for meant, one in weights.items()}, self._source)
        ours = form_of({meant: ref.shape for meant, ref in self._by_meaning.items()}, self._target)
        if theirs is not None and ours is not None:
            weights = in_form(weights, theirs, ours)
        self._notes.extend(notes_on_activation(self._source, self._target))
        kind = _recurrent_kind(ours or theirs, self._classes)
        if kind is None:
            return weights
        gates = Gates(kind, _of_form(self._source, theirs), _of_form(self._target, ours), keras_1=self._old_source)
        self._notes.extend(gates.notes(hard_sigmoid))
        if hard_sigmoid == "keep" or gates.factor == 1:
            return weights
        return {meant: gates.rescaled(one) if meant in _RECURRENT else one for meant, one in weights.items()}

    def _with_rows_in_order(self, weights: Weights) -> Weights:
        """The kernel of a Dense after a Flatten, with the rows of the target's images."""
        kernel = weights.get("kernel")
        sides = (self._source, self._target)
        before, after = (side.channels if side.flattened is None else side.flattened.order for side in sides)
        if kernel is None or "Dense" not in self._classes or before is None or after is None or before == after:
            return weights
        shape = next((side.flattened.shape for side in sides if side.flattened and side.flattened.shape), None)
        if shape is not None:
            return weights | {"kernel": rows_permuted(kernel, shape, after)}
        self._notes.append(
            f"the source's images are {before} and the target's {after}: if this Dense follows a Flatten, its rows are "
            "in another order, which only the shape of the flattened feature map tells"
        )
        return weights

    def _same_names(self) -> Iterator[tuple[WeightRef, WeightRef]]:
        theirs = {ref.name: ref for ref in self._theirs}
        return ((ref, theirs[ref.name]) for ref in self._ours if ref.name in theirs)

    def _as_keras_1(self, ref: WeightRef) -> Conversion:
        """A weight of Keras 1 for a target of Keras 1, where only the format of images and the backend may differ."""
        own = ref.name or ""
        meant = meaning(own.partition("_")[0] if gates_in(own) else own, ())
        here, there = self._target.channels, self._source.channels
        plain = Conversion.of(ref)
        changes = self._changes_mirroring({meant: plain}) if len(ref.shape) > 2 else set()  # noqa: PLR2004
        if meant not in KERNELS or (not changes and (here == there or None in (here, there))):
            return plain
        kernel = in_todays_layout(ref, (), self._classes, there or here)
        kernel = mirrored(kernel) if changes else kernel
        return in_keras_1_layout(kernel, self._classes, here or there)


def _named(ref: WeightRef, conversion: Conversion) -> Conversion:
    """The same, with a step for the name alone where that is all that differs."""
    own = conversion.sources[0].name
    if conversion.steps or own == ref.name:
        return conversion
    about = ", which holds the variance" if own == "running_std" else ""
    return conversion.called(f"named {own} in the source{about}")


def _recurrent_kind(form: Form | None, classes: frozenset[str]) -> str | None:
    if form is None:
        return "ConvLSTM2D" if classes & {"ConvLSTM2D", "ConvLSTMCell"} else None
    return "LSTM" if form in {Form.LSTM, Form.CUDNN_LSTM} else "GRU"


def _of_form(facts: LayerFacts, form: Form | None) -> LayerFacts:
    """The facts with the class of a CuDNN layer, which shapes alone may tell."""
    return replace(facts, layer_class=str(form)) if form in {Form.CUDNN_LSTM, Form.CUDNN_GRU} else facts


def _unknown_backend(side: str) -> str:
    return (
        f"the {side} does not say its backend, and its names lack the :0 of TensorFlow: if it is of Theano, whose "
        "convolutions mirror their kernels, give backend='theano'"
    )


def _single_layers(
    ours: Sequence[WeightRef], theirs: Sequence[WeightRef]
) -> Iterator[tuple[list[WeightRef], list[WeightRef]]]:
    """The pairs of layers without layers inside: one, or both directions of a Bidirectional."""
    first, second = _by_layer(ours), _by_layer(theirs)
    if len(first) == len(second) == 1:
        yield from zip(first.values(), second.values(), strict=True)
        return
    if first.keys() != second.keys():
        raise RequestError(
            f"the layers in it are {', '.join(first)} in the target and {', '.join(second)} in the source",
            hint="match the layers inside one by one",
        )
    yield from ((first[name], second[name]) for name in first)


def _by_layer(refs: Sequence[WeightRef]) -> dict[str, list[WeightRef]]:
    """Weights by the direction of their layer, or by the layer's name."""
    groups = itertools.groupby(sorted(refs, key=lambda ref: ref.layer or ""), key=lambda ref: ref.layer or "")
    found: dict[str, list[WeightRef]] = {}
    for layer, weights in groups:
        parts = layer.split("/")
        direction = next((word for word in _DIRECTIONS for part in parts if part.startswith(f"{word}_")), None)
        found.setdefault(direction or parts[-1], []).extend(weights)
    return found

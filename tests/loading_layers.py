"""References to the weights of one layer, and conversions between two of them."""

from __future__ import annotations

import numpy as np

from weightkit import Kind, WeightRef
from weightkit.transforms.loading import LayerFacts, conversions


def weights(layer, shapes, *, layer_class=None, dtype="f4", ending="", kind=Kind.PARAMETER, folder=""):
    """References by name and shape, as a store would give them."""
    return [
        WeightRef(
            structure=f"{folder}{layer}/{name}{ending}",
            layer=layer,
            index=index,
            name=name,
            shape=tuple(shape),
            dtype=np.dtype(dtype),
            kind=kind,
            layer_class=layer_class,
            trainable=True,
            known_from=None,
        )
        for index, (name, shape) in enumerate(shapes.items())
    ]


def converted(ours, arrays, *, ending="", layer="old", target=None, source=None, hard_sigmoid="keep"):
    """The values of the weights of ours that need a conversion, by name, the steps by name, and the notes."""
    theirs = weights(layer, {name: array.shape for name, array in arrays.items()}, ending=ending)
    made = conversions(
        ours,
        theirs,
        target=target or LayerFacts(keras_version="3.15.1"),
        source=source or LayerFacts(),
        hard_sigmoid=hard_sigmoid,
    )
    values = {ref.name: one(*(arrays[own.name] for own in one.sources)) for ref, one in made}
    for ref, one in made:
        assert values[ref.name].shape == one.shape
    return values, {ref.name: one.what for ref, one in made}, made.notes

"""References to match, made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit.access.ref import Kind, Source, WeightRef


@pytest.fixture
def weight():
    """Make the reference of a weight from its path; ``shape`` and the rest are optional."""

    def make(
        path, shape=(2, 2), *, structure=None, cls="Dense", kind=Kind.PARAMETER, dtype="f4", index=None, named=True
    ):
        layer, _, name = path.rpartition("/")
        return WeightRef(
            structure=structure or f"at/{path}",
            layer=layer if named else None,
            index=(0 if name == "kernel" else 1) if index is None else index,
            name=name if named else None,
            shape=shape,
            dtype=np.dtype(dtype),
            kind=kind,
            layer_class=cls,
            trainable=None,
            known_from=Source.FILE,
        )

    return make


@pytest.fixture
def dense(weight):
    """The kernels and biases of Dense layers: ``{"dense_1": (4, 2)}``."""

    def make(layers, **more):
        return [
            weight(f"{layer}/{name}", shape[-len(shape) :] if name == "kernel" else shape[-1:], **more)
            for layer, shape in layers.items()
            for name in ("kernel", "bias")
        ]

    return make


@pytest.fixture
def layers_of():
    """Which layer was paired with which."""
    return lambda pairs: {ours.layer: theirs.layer for ours, theirs in dict(pairs).items()}


class _Ordered(list):
    """References of a store that knows the order of its layers."""

    ordered = True


@pytest.fixture
def store_of():
    """References in the order of their layers."""
    return _Ordered

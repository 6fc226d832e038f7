"""LayerScale: a learned factor for each channel."""

from __future__ import annotations

from weightkit.layers import LayerScale
from weightkit.testing.layer import LayerContract


class TestLayerScale(LayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 3))
    bad_arguments = ({"axis": 7}, {"axis": 0}, {"scale_initializer": "nonsense"})

    def make_layer(self, **overrides):
        return LayerScale(**{"scale_initializer": 0.3} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs * weights["scale"]

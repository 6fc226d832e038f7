"""GradientReversal: the identity, whose gradient is turned round on the way back."""

from __future__ import annotations

from weightkit.layers import GradientReversal
from weightkit.testing.exemptions import Exemption
from weightkit.testing.layer import LayerContract


class TestGradientReversal(LayerContract):
    input_shapes = ((3, 4), (2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 3))
    known_axes = ()
    exemptions = (Exemption("gradient=reversed", "turning the gradient round is what the layer is for"),)
    bad_arguments = ({"factor": -1}, {"factor": float("inf")}, {"factor": "much"})

    def make_layer(self, **overrides):
        return GradientReversal(**{"factor": 0.5} | overrides)

    def expected(self, weights, inputs, *, training):
        return inputs

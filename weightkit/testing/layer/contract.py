"""The contract for layers: 23 points, with two dozen tests that run on TensorFlow, JAX and PyTorch.

The points are numbered: 1 it builds in ``build`` and names its weights · 2 its numbers equal those of an oracle · 3 its
gradients equal finite differences in float64 · 4 compiled it gives the same · 5 it loads in a new process · 6 and on
another backend · 7 its configuration is JSON and does not change · 8 clones, copies, pickles · 9 unknown sizes,
batches of 0 and 1 · 10 dtypes follow the policy · 11 masks · 12 freezing · 13 seeds · 14 stateless calls · 15 no
retracing, no growth · 16 errors name wrong arguments · 17 a shared layer is one layer · 18 regularizers and constraints
work · 19 in every kind of model · 20 exported on TensorFlow · 21 under ``MirroredStrategy`` · 23 its docstring's
example runs · 24 weightkit lists and edits its weights. (22, its overhead, is measured by a benchmark.)
"""

from __future__ import annotations

from weightkit.testing.layer.access import AccessPoints
from weightkit.testing.layer.building import BuildingPoints
from weightkit.testing.layer.compiling import CompilingPoints
from weightkit.testing.layer.files import FilePoints
from weightkit.testing.layer.gradients import GradientPoints
from weightkit.testing.layer.numbers import NumberPoints
from weightkit.testing.layer.uses import UsePoints


class LayerContract(BuildingPoints, NumberPoints, GradientPoints, CompilingPoints, UsePoints, FilePoints, AccessPoints):
    """Tests for every layer. Subclass it, and declare how to make the layer and what it must compute.

    `weightkit.testing.layer.subject.LayerSubject` documents what you can declare. Exemptions come from a fixed list and
    need a reason (`weightkit.testing.layer.exemptions.Exemption`); there are no other skips. The tests run on the
    current backend; run them once for each backend. New processes load saved files, one for each backend and session.

    Example:
        >>> from weightkit.testing import LayerContract
        >>> class TestMine(LayerContract):  # doctest: +SKIP
        ...     def make_layer(self, **overrides):
        ...         return Mine(**{"units": 3} | overrides)
        ...
        ...     def expected(self, weights, inputs, *, training):
        ...         return inputs @ weights["kernel"]
    """

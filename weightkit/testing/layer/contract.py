"""What every layer keeps to: 23 points, and two dozen facts that hold on TensorFlow, JAX and PyTorch.

The points are numbered: 1 it builds in ``build`` and names its weights · 2 its numbers are those of an oracle · 3 its
gradients are those of differences in float64 · 4 compiled it gives the same · 5 it loads in a fresh process · 6 and on
another backend · 7 its configuration is JSON and stays what it was · 8 clones, copies, pickles · 9 unknown sizes,
batches of 0 and 1 · 10 types are those of the policy · 11 masks · 12 freezing · 13 seeds · 14 stateless calls · 15 no
retracing, no growth · 16 wrong arguments are named · 17 shared it is one layer · 18 regularizers and constraints act ·
19 in every kind of model · 20 exported on TensorFlow · 21 under ``MirroredStrategy`` · 23 its docstring's example runs
· 24 weightkit sees and edits its weights. (22, its overhead, is a benchmark's affair.)
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
    """Facts that hold for every layer. Subclass it, and say how the layer is made and what it should give.

    What can be declared stands in `weightkit.testing.layer.subject.LayerSubject`. Exemptions are declared with a
    reason, from a closed list (`weightkit.testing.layer.exemptions.Exemption`); there are no other skips. The tests
    run on the backend that is in use; run them once for each. Fresh processes look at saved files,
    one for each backend and session.

    Example:
        >>> from weightkit.testing import LayerContract
        >>> class TestMine(LayerContract):  # doctest: +SKIP
        ...     def make_layer(self, **overrides):
        ...         return Mine(**{"units": 3} | overrides)
        ...
        ...     def expected(self, weights, inputs, *, training):
        ...         return inputs @ weights["kernel"]
    """

"""The contract as weightkit's own layers keep it: with golden configurations and names in files."""

from __future__ import annotations

from pathlib import Path

import full

from weightkit.testing.layer.contract import LayerContract

GOLDEN = Path(__file__).parent.parent / "data" / "layers"


def nonsense(*names):
    """Wrong values of the arguments that a layer has for each of its weights."""
    kinds = ("initializer", "regularizer", "constraint")
    return tuple({f"{name}_{kind}": "nonsense"} for name in names for kind in kinds)


class OwnLayerContract(LayerContract):
    imports = ("weightkit.layers",)
    names_in_files = True
    thorough = full.enabled
    second_setting = False
    """Whether the layer has a subject already, with other settings: then files, models and compiled code are left to
    ``--full``, since what they are given of the layer is the same."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        name = cls.__name__.removeprefix("Test")
        cls.golden = GOLDEN / f"{name}.json"

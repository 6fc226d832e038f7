"""The contract as weightkit's own layers keep it: with golden configurations and names in files."""

from __future__ import annotations

from pathlib import Path

from weightkit.testing.layer import LayerContract

GOLDEN = Path(__file__).parent.parent / "data" / "layers"


class OwnLayerContract(LayerContract):
    imports = ("weightkit.layers",)
    names_in_files = True

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        name = cls.__name__.removeprefix("Test")
        cls.golden = GOLDEN / f"{name}.json"

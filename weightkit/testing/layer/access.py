"""Point 24: weightkit lists and edits the weights of a layer like those of Keras layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weightkit.access import edit
from weightkit.access.open import open_weights
from weightkit.access.ref import Kind
from weightkit.testing.layer import backends
from weightkit.testing.layer.exemptions import point
from weightkit.testing.layer.subject import LayerSubject
from weightkit.transforms.scale import Scale

if TYPE_CHECKING:
    from pathlib import Path

    from weightkit.access.ref import WeightRef


class AccessPoints(LayerSubject):
    """Weightkit lists and edits the weights of a layer like those of Keras layers."""

    names_in_files = False
    """Whether weightkit knows the layer's class, so weights in files have names too; Keras does not store them."""

    @point(24)
    def test_its_weights_are_listed_with_their_names(self) -> None:
        layer = self.built()
        refs = list(open_weights(self.model(layer)))
        assert {ref.name for ref in refs} >= {v.name for v in layer.weights}
        assert len(refs) >= len(layer.weights)

    @point(24)
    def test_its_saved_weights_are_listed_as_its_live_ones_are(self, tmp_path: Path) -> None:
        model = self.model(self.built())
        model.save(tmp_path / "model.keras")
        live = {ref.structure: ref for ref in open_weights(model)}
        with open_weights(tmp_path / "model.keras") as store:
            saved = {ref.structure: ref for ref in store}
        assert {name: (r.shape, r.dtype) for name, r in saved.items()} == {
            name: (r.shape, r.dtype) for name, r in live.items()
        }
        if self.names_in_files:
            assert {name: (r.path, r.kind) for name, r in saved.items()} == {
                name: (r.path, r.kind) for name, r in live.items()
            }

    @point(24)
    def test_scaling_its_file_is_scaling_it_in_memory(self, tmp_path: Path) -> None:
        layer = self.built()
        model = self.model(layer)
        model.save(tmp_path / "model.keras")
        chosen = [_selection(ref) for ref in open_weights(model) if ref.kind is Kind.PARAMETER]
        if not chosen:
            self.not_looked_at("it has no parameters")
            return
        edit(tmp_path / "model.keras", Scale(0.5), where=chosen)
        edit(model, Scale(0.5), where=chosen)
        loaded = backends.keras.saving.load_model(tmp_path / "model.keras")
        for mine, theirs in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(backends.array(mine.value), backends.array(theirs.value))


def _selection(ref: WeightRef) -> str:
    # A structural address may hold characters that a selection reads as wildcards.
    return "".join(f"\\{c}" if c in "*?[]{}\\" else c for c in ref.structure)

"""Weights that a file stores twice, and that must be drawn alike."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import plain_datasets, write_archive

from weightkit import Reinitialize, edit, open_weights
from weightkit.access.copied_weights import originals
from weightkit.access.draw_keys import draw_addresses


@pytest.fixture
def archive(tmp_path):
    """A SpectralNormalization around a Dense, as Keras 3 saves it: its kernel twice."""
    above = "layers/spectral_normalization"
    shapes = {f"{above}/vars/0": (6, 4), f"{above}/vars/1": (1, 4), f"{above}/layer/vars/0": (6, 4)}
    variables = {path: np.full(shape, 9, "f4") for path, shape in shapes.items()}
    inside = {"name": "d", "use_bias": False, "dtype": "float32"}
    dense = {"module": "keras.layers", "class_name": "Dense", "config": inside}
    wrapper = {"module": "keras.layers", "class_name": "SpectralNormalization"}
    wrapper["config"] = {"name": "sn", "layer": dense, "dtype": "float32"}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [wrapper]}}
    return write_archive(tmp_path / "m.keras", variables, **{"config.json": json.dumps(config).encode()})


def test_the_wrappers_kernel_is_a_copy_of_the_layers_and_its_vector_is_not(archive):
    with open_weights(archive) as store:
        assert {copy.path: first.path for copy, first in originals(store).items()} == {"sn/kernel": "sn/d/kernel"}
        keys = {ref.path: key for ref, key in draw_addresses(store).items()}
    assert keys["sn/kernel"] == keys["sn/d/kernel"] == "sn/d/kernel"
    assert keys["sn/vector_u"] == "sn/vector_u"


@pytest.mark.parametrize("act", [Reinitialize(seed=1), Reinitialize("he_normal", seed=1)])
def test_both_are_drawn_alike_and_the_vector_stays(archive, act):
    edit(archive, act)
    found = plain_datasets(archive)
    above = "layers/spectral_normalization"
    assert found[f"{above}/vars/0"].tobytes() == found[f"{above}/layer/vars/0"].tobytes()
    assert not np.any(found[f"{above}/vars/0"] == 9)
    assert np.all(found[f"{above}/vars/1"] == 9)

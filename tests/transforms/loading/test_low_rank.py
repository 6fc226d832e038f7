"""Low-rank updates beside a kernel are merged into a layer that has none, as Keras merges them on saving."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
from support import DATA, plain_datasets, write_legacy

from weightkit import load_weights
from weightkit.errors import RequestError

BESIDE, MERGED = DATA / "keras315_lora.h5", DATA / "keras315_lora.keras"
LAYER = "model_weights/first/sequential/first"
RNG = np.random.default_rng(3)


def factors(path):
    values = plain_datasets(path)
    return [values[f"{LAYER}/{name}"] for name in ("kernel", "lora_kernel_a", "lora_kernel_b")]


@pytest.fixture
def target(tmp_path):
    """The model as Keras saved it merged, with other values."""
    path = tmp_path / "target.keras"
    shutil.copyfile(MERGED, path)
    other = write_legacy(tmp_path / "other.h5", {"first": {"kernel": RNG.random((4, 4), "f4")}})
    load_weights(path, other, on_missing="skip")
    return path


def test_a_kernel_takes_what_keras_itself_merges(target):
    report = load_weights(target, BESIDE)
    kernel, first, second = factors(BESIDE)
    assert np.allclose(plain_datasets(target)["layers/dense/vars/0"], kernel + first @ second, rtol=1e-6)
    assert np.allclose(plain_datasets(target)["layers/dense/vars/0"], plain_datasets(MERGED)["layers/dense/vars/0"])
    assert "1 converted (low-rank update merged, 2/2 of it): first/kernel" in report.plan.notes
    assert not any("not used" in note for note in report.plan.notes)


def test_an_update_counts_as_the_configuration_says(target, tmp_path):
    source = tmp_path / "source.h5"
    shutil.copyfile(BESIDE, source)
    with h5py.File(source, "r+") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace('"lora_alpha": 2', '"lora_alpha": 5')
    load_weights(target, source)
    kernel, first, second = factors(source)
    assert np.allclose(plain_datasets(target)["layers/dense/vars/0"], kernel + 2.5 * (first @ second), rtol=1e-6)


def test_an_update_that_nothing_says_the_weight_of_is_refused_and_not_lost(target, tmp_path):
    kernel, first, second = factors(BESIDE)
    weights = {"kernel": kernel, "lora_kernel_a": first, "lora_kernel_b": second}
    source = write_legacy(tmp_path / "weights.h5", {"first": weights})
    with pytest.raises(RequestError, match="does not say by how much it counts"):
        load_weights(target, source, on_missing="skip")
    weights["lora_kernel_b"] = second[:1]
    write_legacy(source, {"first": weights})
    with pytest.raises(RequestError, match="must be of the shape"):
        load_weights(target, source, on_missing="skip")


def test_a_file_that_keeps_updates_apart_gets_them_as_they_are(tmp_path):
    path = tmp_path / "target.h5"
    shutil.copyfile(BESIDE, path)
    with h5py.File(path, "r+") as file:
        for name in ("kernel", "lora_kernel_a", "lora_kernel_b"):
            file[f"{LAYER}/{name}"][...] = 0
    load_weights(path, BESIDE)
    assert all((a == b).all() for a, b in zip(factors(path), factors(BESIDE), strict=True))


def test_an_update_that_only_the_target_has_is_not_left_beside_what_is_loaded(tmp_path):
    path = tmp_path / "target.h5"
    shutil.copyfile(BESIDE, path)
    before = path.read_bytes()
    for options in ({}, {"on_missing": "skip"}, {"where": "first/kernel", "on_missing": "skip"}):
        with pytest.raises(RequestError, match="its layer keeps a low-rank update here") as caught:
            load_weights(path, MERGED, **options)
        assert caught.value.hint.startswith("load into a model")
    assert path.read_bytes() == before

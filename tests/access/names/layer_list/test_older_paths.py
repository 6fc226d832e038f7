"""The paths of Keras 2.12 and 2.13 as Keras 3 has them."""

from __future__ import annotations

import pytest

from weightkit.access.names.layer_list.older_paths import paths_of_today

OLD = "_layer_checkpoint_dependencies"


def paths(*keys, below="vars/0"):
    groups = [f"{OLD}/{key}" for key in keys]
    found = paths_of_today([f"{group}/{below}" for group in groups], groups)
    return [found[f"{group}/{below}"] for group in groups]


def test_keras_2_12_has_them_under_another_attribute():
    assert paths("dense", "dense_1") == ["layers/dense/vars/0", "layers/dense_1/vars/0"]


def test_keras_2_13_counts_those_with_weights_twice():
    keys = ["dense", *(f"dense_{2 * place}" for place in range(1, 12)), "block", "block_2", "block_3"]
    wanted = ["dense", *(f"dense_{place}" for place in range(1, 12)), "block", "block_1", "block_2"]
    assert paths(*keys, below="cell/vars/0") == [f"layers/{key}/cell/vars/0" for key in wanted]


def test_models_in_models_are_counted_each_by_itself():
    outer, inner = f"{OLD}/functional_2", f"{OLD}/functional_2/{OLD}/dense_2"
    groups = [f"{OLD}/functional", outer, f"{outer}/{OLD}", f"{outer}/{OLD}/dense", inner]
    path = f"{inner}/vars/1"
    assert paths_of_today([path], groups) == {path: "layers/functional_1/layers/dense_1/vars/1"}


@pytest.mark.parametrize("path", ["layers/dense_2/vars/0", "encoder/vars/0"])
def test_other_paths_are_those_of_today(path):
    assert paths_of_today([path], [path.removesuffix("/vars/0")]) == {}

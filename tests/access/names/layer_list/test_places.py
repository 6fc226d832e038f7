"""Layers whose names in ``config.json`` and in the HDF5 differ: each weight has the name that Keras gives it."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support import run_weightkit
from weightkit import open_weights

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with warnings.catch_warnings():  # TensorFlow 2.21 warns of its own deprecations while it is imported
    warnings.simplefilter("ignore")
    import keras
    from keras import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

V = (6,)


def edited(path: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """The archive with another ``config.json``."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(edit(config) or config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def everywhere(names: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Replace names of layers in the whole text, as an editor's search and replace does."""

    def edit(config: dict[str, Any]) -> dict[str, Any]:
        def replaced(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: replaced(one) for key, one in value.items()}
            if isinstance(value, list):
                return [replaced(one) for one in value]
            return names.get(value, value) if isinstance(value, str) else value

        found: dict[str, Any] = replaced(config)
        return found

    return edit


def reordered(*order: int) -> Callable[[dict[str, Any]], None]:
    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"] = [config["config"]["layers"][i] for i in order]

    return edit


def owned(layer: Any, above: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for variable in layer._trainable_variables + layer._non_trainable_variables:
        yield f"{above}/{variable.name}", np.asarray(variable)
    for child in layer._layers:
        yield from owned(child, f"{above}/{child.name}" if above else child.name)


def require_as_keras_loads(path: Path) -> list[str]:
    """Every weight has the values of the layer of that name in the model that Keras loads; returns the notes."""
    truth = dict(owned(keras.models.load_model(path)))
    with open_weights(path) as store:
        found = {ref.path: store.read(ref) for ref in store if ref.kind != "optimizer"}
        notes = list(store.notes)
    assert found.keys() == truth.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, truth[name], err_msg=name)
    return notes


def functional() -> Any:
    x = keras.Input(V)
    y = layers.Dense(6, name="a")(x)
    y = layers.BatchNormalization(name="norm")(y)
    return keras.Model(x, layers.Dense(6, name="predictions")(layers.Dense(6, name="b")(y)))


def fill(model: Any) -> Any:
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(rng.random(variable.shape))
    return model


def saved(model: Any, path: Path) -> Path:
    fill(model).save(path)
    return path


def test_a_renamed_layer_has_the_name_of_the_configuration(tmp_path: Path) -> None:
    path = edited(saved(functional(), tmp_path / "m.keras"), everywhere({"predictions": "logits"}))
    (note,) = require_as_keras_loads(path)
    assert "logits (predictions in the HDF5)" in note
    assert "1 layer " in note


def test_a_layer_renamed_in_its_configuration_alone_has_that_name(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"][-1]["config"]["name"] = "logits"

    (note,) = require_as_keras_loads(edited(saved(functional(), tmp_path / "m.keras"), edit))
    assert "logits (predictions in the HDF5)" in note


def test_a_name_moved_to_the_next_layer_follows_the_place(tmp_path: Path) -> None:
    path = edited(saved(functional(), tmp_path / "m.keras"), everywhere({"b": "a", "a": "first"}))
    (note,) = require_as_keras_loads(path)
    assert "first (a in the HDF5), a (b in the HDF5)" in note
    assert "2 layers " in note


@pytest.mark.parametrize("make", [functional, lambda: keras.Sequential(functional().layers)])
def test_swapped_names_follow_the_place_as_in_keras(make: Any, tmp_path: Path) -> None:
    path = edited(saved(make(), tmp_path / "m.keras"), everywhere({"a": "b", "b": "a"}))
    (note,) = require_as_keras_loads(path)
    assert "b (a in the HDF5), a (b in the HDF5)" in note


def test_a_list_in_another_order_with_the_same_graph_changes_nothing(tmp_path: Path) -> None:
    path = edited(saved(functional(), tmp_path / "m.keras"), reordered(0, 4, 3, 2, 1))
    assert require_as_keras_loads(path) == []


def test_a_sequential_list_in_another_order_is_loaded_in_that_order(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input(V), *(layers.Dense(6, name=name) for name in "abc")])
    (note,) = require_as_keras_loads(edited(saved(model, tmp_path / "m.keras"), reordered(0, 3, 1, 2)))
    assert "c (a in the HDF5), a (b in the HDF5), b (c in the HDF5)" in note


def test_models_and_layers_inside_models_are_renamed(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input(V), layers.Dense(5, name="low"), layers.Dense(6, name="high")], name="inner")
    x = keras.Input(V)
    path = saved(keras.Model(x, layers.Dense(6, name="head")(inner(x))), tmp_path / "m.keras")
    (note,) = require_as_keras_loads(edited(path, everywhere({"inner": "body", "low": "deep"})))
    assert "body (inner in the HDF5)" in note
    assert "body/deep (low in the HDF5)" in note


def test_a_shared_layer_is_renamed_once(tmp_path: Path) -> None:
    shared = layers.Dense(6, name="shared")
    x = keras.Input(V)
    path = saved(keras.Model(x, layers.Dense(6, name="other")(shared(shared(x)))), tmp_path / "m.keras")
    (note,) = require_as_keras_loads(edited(path, everywhere({"shared": "twice"})))
    assert "twice (shared in the HDF5)" in note


def test_a_layer_inside_a_wrapper_is_renamed(tmp_path: Path) -> None:
    x = keras.Input((3, 6))
    y = layers.TimeDistributed(layers.Dense(4, name="inside"), name="each")(x)
    y = layers.Bidirectional(layers.GRU(2, name="gru"), name="both")(y)
    path = saved(keras.Model(x, y), tmp_path / "m.keras")
    (note,) = require_as_keras_loads(edited(path, everywhere({"inside": "within"})))
    assert "each/within (inside in the HDF5)" in note


def test_the_command_line_selects_by_the_new_name_and_says_so(tmp_path: Path) -> None:
    path = edited(saved(functional(), tmp_path / "m.keras"), everywhere({"predictions": "logits"}))
    for command in (["show"], ["scale", "-n", "--factor", "2"]):
        done = run_weightkit(command[0], path, *command[1:], "--where", "logits", "--json")
        record = json.loads(done.stdout)
        assert done.returncode == 0
        assert any("predictions in the HDF5" in note for note in record["notes"])
        assert "logits/kernel" in done.stdout

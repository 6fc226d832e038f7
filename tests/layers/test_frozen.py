"""What is frozen stays so: through parametrize, through files, and around what adapts it."""

from __future__ import annotations

import keras
import pytest
from layers_wrapped import ffn, numbers, transformer

from weightkit import open_weights
from weightkit.layers import LoRA, LowRank, Parametrized, WeightNorm, parametrize


@pytest.mark.parametrize("make", [transformer, lambda: keras.Sequential([keras.Input((8,)), ffn()])])
def test_factors_are_trained_on_a_frozen_model_and_nothing_else(make):
    model = make()
    model.trainable = False
    assert parametrize(model, "ffn/up", WeightNorm()).trainable_variables == []
    made = parametrize(model, "ffn/up", LowRank(2))
    names = ["lora_kernel_a", "lora_kernel_b"]
    assert [one.name for one in made.trainable_variables] == names
    before = made.get_weights()
    x = numbers(4, *model.input_shape[1:])
    made.compile("sgd", "mse")
    made.fit(x, x, verbose=0)
    moved = [(one != two).any() for one, two in zip(before, made.get_weights(), strict=True)]
    assert [one.name for one, has in zip(made.weights, moved, strict=True) if has] == ["lora_kernel_b"]


def test_what_is_frozen_one_by_one_stays_frozen():
    model = transformer()
    model.get_layer("norm").trainable = False
    model.get_layer("mha").query_dense.trainable = False
    names = {ref.path for ref in open_weights(model) if ref.trainable}
    made = parametrize(model, "ffn", WeightNorm())
    now = {ref.path for ref in open_weights(made) if ref.trainable and ref.name != "kernel_g"}
    assert {name.replace("up/up", "up").replace("down/down", "down") for name in now} == names


@pytest.mark.parametrize("trainable", [False, True])
def test_a_wrapper_around_a_frozen_layer_trains_its_factors_and_is_made_again_so(trainable):
    layer = LoRA(keras.layers.Dense(3, trainable=trainable), 2)
    again = Parametrized.from_config(layer.get_config())
    for one in (layer, again):
        one.build((None, 4))
        names = [variable.name for variable in one.trainable_variables]
        assert names == ["lora_kernel_a", "lora_kernel_b", "bias"][: 3 if trainable else 2]


def body(kind):
    inputs = keras.Input((4,))
    layers = [
        keras.layers.Dense(4, name="a"),
        keras.layers.Dense(4, name="b"),
        keras.layers.BatchNormalization(name="n"),
    ]
    for one in layers[1:]:
        one.trainable = False
    model = keras.Sequential([inputs, *layers], name="body")
    return model if kind == "sequential" else keras.Model(inputs, model(inputs), name="outer")


def flags(model):
    return {ref.path: ref.trainable for ref in open_weights(model)}


@pytest.mark.parametrize("kind", ["sequential", "functional"])
@pytest.mark.parametrize("whole", [False, True], ids=["one by one", "whole"])
def test_a_model_that_adapts_frozen_layers_is_loaded_with_the_same_flags_and_trains_the_same(kind, whole, tmp_path):
    plain = body(kind)
    if whole:
        plain.trainable = False
    model = parametrize(plain, "**/b", LowRank(2))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = numbers(8, 4)
    model.fit(x, x + 1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    trained = {path.rpartition("/")[2] for path, trainable in flags(loaded).items() if trainable}
    assert flags(loaded) == flags(model)
    assert trained == {"lora_kernel_a", "lora_kernel_b"} | (set() if whole else {"kernel", "bias"})
    before = {v.path: keras.ops.convert_to_numpy(v.value).copy() for v in loaded.variables}
    loaded.fit(x, x + 1, verbose=0)
    moved = {v.path for v in loaded.variables if (keras.ops.convert_to_numpy(v.value) != before[v.path]).any()}
    assert moved == {v.path for v in loaded.trainable_variables}


def test_a_wrapper_keeps_the_flags_of_a_layer_inside_another_which_keras_forgets(tmp_path):
    """Keras 3.15 does not write that a layer which another one makes is frozen."""
    model = transformer()
    model.get_layer("mha").query_dense.trainable = False
    adapted = parametrize(model, "mha/query/kernel", LowRank(2))
    for name, one in (("plain", model), ("adapted", adapted)):
        query = {path: trainable for path, trainable in flags(one).items() if "query" in path}
        assert set(query.values()) == {False}
        one.save(tmp_path / f"{name}.keras")
        loaded = flags(keras.saving.load_model(tmp_path / f"{name}.keras"))
        assert {path: loaded[path] for path in query} == dict.fromkeys(query, name == "plain")

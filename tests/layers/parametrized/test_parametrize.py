"""parametrize, bake and load_unwrapped: from a plain model to one with computed weights, and back."""

from __future__ import annotations

import subprocess
import sys

import full
import keras
import numpy as np
import pytest
from layers_wrapped import array, numbers, transformer

from weightkit import Scale, edit, open_weights
from weightkit.access.ref import Kind
from weightkit.errors import RequestError, SelectionError
from weightkit.layers import (
    LoRA,
    LowRank,
    Mask,
    Parametrized,
    SpectralReparametrization,
    StandardizedWeight,
    TiedTo,
    WeightNorm,
    WeightNormalization,
    bake,
    load_unwrapped,
    parametrize,
)

FULL = full.enabled


def small_net():
    inputs = keras.Input((12, 12, 3))
    hidden = keras.layers.Conv2D(6, 3, use_bias=False, name="conv")(inputs)
    hidden = keras.layers.ReLU(6)(keras.layers.BatchNormalization(name="bn")(hidden))
    hidden = keras.layers.DepthwiseConv2D(3, name="depthwise")(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(keras.layers.Dropout(0.2)(hidden))
    return keras.Model(inputs, keras.layers.Dense(4, name="out")(hidden))


def application(name, size=64, **settings):
    shape = (size, size, 3)
    return lambda: getattr(keras.applications, name)(weights=None, input_shape=shape, include_top=False, **settings)


MODELS = {"transformer": (transformer, (4, 6, 8)), "small_net": (small_net, (4, 12, 12, 3))}
if FULL:
    MODELS["MobileNetV2"] = (application("MobileNetV2"), (4, 64, 64, 3))
    MODELS["EfficientNetB0"] = (application("EfficientNetB0"), (4, 64, 64, 3))
WAYS = {"weight_norm": WeightNorm(), "low_rank": LowRank(2)}
CASES = {f"{model}-{way}": (*MODELS[model], WAYS[way]) for model in MODELS for way in WAYS}
if FULL and keras.backend.backend() == "tensorflow":  # the others take minutes to compile one of Keras' applications
    CASES["small_mobilenet"] = (application("MobileNetV2", 32, alpha=0.35), (4, 32, 32, 3), WAYS["weight_norm"])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_model_that_exists_is_parametrized_fitted_and_baked_with_equal_outputs(case):
    make, shape, way = case
    model, x = make(), numbers(*shape)
    before = array(model(x, training=False))
    made = parametrize(model, "**", way)
    np.testing.assert_allclose(array(made(x, training=False)), before, rtol=1e-5, atol=1e-5)
    made.compile(keras.optimizers.SGD(1e-3), "mse")
    made.fit(x, before + 1, verbose=0)
    after = array(made(x, training=False))
    assert np.abs(after - before).max() > 1e-7
    plain = bake(made)
    assert [type(one) for one in plain._flatten_layers()] == [type(one) for one in model._flatten_layers()]
    np.testing.assert_allclose(array(plain(x, training=False)), after, rtol=1e-5, atol=1e-5)


def test_what_is_selected_is_wrapped_and_nothing_else():
    model = transformer()
    made = parametrize(model, ["mha/query", "ffn"], LowRank(2), exclude="ffn/down")
    assert [ref.path for ref in open_weights(made) if ref.name.startswith("lora")] == [
        "mha/lora_kernel_a", "mha/lora_kernel_b", "ffn/up/lora_kernel_a", "ffn/up/lora_kernel_b",
    ]  # fmt: skip
    twice = parametrize(made, "ffn/down", Mask())
    x = numbers(2, 6, 8)
    np.testing.assert_array_equal(twice.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_weights_file_of_the_plain_model_goes_into_the_wrapped_one(tmp_path):
    plain, x = small_net(), numbers(4, 12, 12, 3)
    plain.save_weights(tmp_path / "plain.weights.h5")
    made = parametrize(small_net(), "**", WeightNorm())
    load_unwrapped(made, tmp_path / "plain.weights.h5")
    np.testing.assert_allclose(made.predict(x, verbose=0), plain.predict(x, verbose=0), atol=1e-6)


def everything():
    ids = keras.Input((6,), dtype="int32")
    table = keras.layers.Embedding(7, 6, name="table")
    hidden = Parametrized(
        keras.layers.LSTM(4, return_sequences=True, name="rnn"),
        kernel=LowRank(2, dropout=0.5),
        recurrent_kernel=[WeightNorm(), Mask()],
    )(table(ids))
    hidden = SpectralReparametrization(keras.layers.Dense(6, name="spectral"))(hidden)
    attention = Parametrized(keras.layers.MultiHeadAttention(2, 3, name="mha"), kernel=LowRank(2, magnitude=True))
    hidden = attention(hidden, hidden)
    hidden = Parametrized(keras.layers.Conv1D(6, 2, name="conv"), kernel=StandardizedWeight())(hidden)
    hidden = LoRA(WeightNormalization(keras.layers.Dense(6, name="two")), 2, where="name:kernel")(hidden)
    hidden = keras.layers.TimeDistributed(WeightNormalization(keras.layers.Dense(6, name="inside")), name="td")(hidden)
    return keras.Model(ids, TiedTo(keras.layers.Dense(7, name="head"), table)(hidden))


LOADER = """
import sys, keras, numpy as np
from pathlib import Path

def look(name):
    model = keras.saving.load_model(folder / f"{name}.keras")
    np.save(folder / f"{name}.npy", model.predict(np.array([[1, 2, 3, 4, 5, 6]]), verbose=0))

folder = Path(sys.argv[1])
look("baked")
assert not any(name.startswith("weightkit") for name in sys.modules)
import weightkit.layers
look("model")
"""


def test_all_of_them_load_in_a_fresh_process_and_baked_without_weightkit(tmp_path):
    """Six seconds: a process of its own starts Keras and its backend."""
    model = everything()
    outputs = model.predict(np.array([[1, 2, 3, 4, 5, 6]]), verbose=0)
    model.save(tmp_path / "model.keras")
    bake(model).save(tmp_path / "baked.keras")
    subprocess.run([sys.executable, "-c", LOADER, tmp_path], check=True)
    for name in ("model", "baked"):
        loaded = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(loaded, outputs, rtol=0, atol=1e-5 if name == "baked" else 0)


def test_files_say_what_the_live_model_says_and_scale_is_the_same_on_both(tmp_path):
    model = everything()
    model.save(tmp_path / "model.keras")
    live = {ref.structure: (ref.path, ref.kind, ref.trainable) for ref in open_weights(model)}
    with open_weights(tmp_path / "model.keras") as store:
        assert {ref.structure: (ref.path, ref.kind, ref.trainable) for ref in store} == live
        kinds = {ref.name: ref.kind for ref in store}
    assert (kinds["kernel_u"], kinds["recurrent_kernel_mask"]) == (Kind.STATISTIC, Kind.STATE)
    for where in (None, "role:lora"):
        edit(tmp_path / "model.keras", Scale(0.5), where=where)
        edit(model, Scale(0.5), where=where)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert all((one == two).all() for one, two in zip(model.get_weights(), loaded.get_weights(), strict=True))


def unbuilt():
    return keras.Sequential([keras.layers.Dense(2)])


class Mine(keras.Model):
    pass


REFUSED = {
    "slip": (lambda: parametrize(small_net(), "depthwse", WeightNorm()), SelectionError, "did you mean depthwise?"),
    "slip of two": (lambda: parametrize(small_net(), ["out", "cnv"], Mask()), SelectionError, "'cnv' chooses nothing"),
    "nothing": (lambda: parametrize(small_net(), None, WeightNorm()), SelectionError, "select something, got None"),
    "biases": (
        lambda: parametrize(small_net(), "out/bias", WeightNorm()), SelectionError,
        r"no weight in 'out/bias' that WeightNorm applies to, only out/bias \(4,\) — WeightNorm applies to conv/kernel",
    ),
    "bias of rank 2": (
        lambda: parametrize(transformer(), "mha/query", Mask(), exclude="**/kernel"), SelectionError,
        r"only mha/query/bias \(2, 4\) — select a bias by its name: name:bias",
    ),
    "no weights": (
        lambda: parametrize(keras.Sequential([keras.Input((3,)), keras.layers.ReLU()]), "**", Mask()), SelectionError,
        "has no weights — select a layer with weights",
    ),
    "unbuilt": (lambda: parametrize(unbuilt(), "**", WeightNorm()), RequestError, "not been built"),
    "subclassed": (lambda: parametrize(Mine(), "**", WeightNorm()), RequestError, "must be (a )?Functional"),
    "baking it": (lambda: bake(Mine()), RequestError, "must be (a )?Functional"),
    "baking nothing": (lambda: bake(3), RequestError, "model must be .*, got 3"),
    "no way": (lambda: parametrize(small_net(), "**", 3), RequestError, "parametrization must be .*, got 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_refused_in_words(case):
    act, error, problem = case
    with pytest.raises(error, match=problem):
        act()

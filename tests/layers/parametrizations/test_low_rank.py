"""LowRank: LoRA, rsLoRA and DoRA."""

from __future__ import annotations

import itertools
from types import MappingProxyType

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, array, computed, numbers

from weightkit.errors import RequestError
from weightkit.layers import LoRA, LowRank, bake, load_unwrapped, parametrize


class TestLowRank(Wrapped):
    parametrization = LowRank
    settings = MappingProxyType({"rank": 2, "alpha": 3.0, "seed": 1})
    bad_arguments = (
        {"rank": 0},
        {"alpha": -1.0},
        {"scaling": "more"},
        {"dropout": 1.0},
        {"seed": 1.5},
        {"magnitude": 1},
        {"freeze": "no"},
    )

    def kernel(self, weights):
        return weights["kernel"] + 1.5 * weights["lora_kernel_a"] @ weights["lora_kernel_b"]

    def settle(self, layer):
        layer.computed[0].steps[0][1]["b"].variable.assign(numbers(2, 3, seed=4))


class TestDoRA(Wrapped):
    second_setting = True
    parametrization = LowRank
    settings = MappingProxyType({"rank": 2, "magnitude": True, "seed": 1})
    bad_arguments = TestLowRank.bad_arguments

    def kernel(self, weights):
        adapted = weights["kernel"] + weights["lora_kernel_a"] @ weights["lora_kernel_b"]
        return weights["lora_kernel_magnitude"] * adapted / np.linalg.norm(adapted, axis=0)

    def settle(self, layer):
        layer.computed[0].steps[0][1]["b"].variable.assign(numbers(2, 3, seed=4))


LAYERS = {
    "dense": (lambda: keras.layers.Dense(3), (8, 5)),
    "conv": (lambda: keras.layers.Conv2D(3, 3), (8, 5, 5, 2)),
    "lstm": (lambda: keras.layers.LSTM(3), (8, 4, 5)),
    "depthwise": (lambda: keras.layers.DepthwiseConv2D(3), (8, 5, 5, 4)),
}


@pytest.mark.parametrize("magnitude", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_it_begins_as_it_was_trains_its_factors_alone_and_merged_equals_adapted(case, magnitude):
    make, shape = case
    plain, x = make(), numbers(*shape)
    before = array(plain(x))
    model = keras.Sequential([keras.Input(shape[1:]), LoRA(plain, 2, magnitude=magnitude)])
    model.compile("adam", "mse", run_eagerly=case is not LAYERS["dense"])  # one kind is enough to see what traces keep
    np.testing.assert_allclose(model.predict(x, verbose=0), before, atol=1e-5)
    layer = model.layers[0]
    bases = [array(one.weight.variable.value) for one in layer.computed]
    model.fit(x, before + 1, epochs=2, verbose=0)
    adapted = model.predict(x, verbose=0)
    assert np.abs(adapted - before).max() > 1e-4
    assert all((array(c.weight.variable.value) == base).all() for c, base in zip(layer.computed, bases, strict=True))
    trained = layer.get_weights()
    layer.merge()
    np.testing.assert_allclose(model.predict(x, verbose=0), adapted, atol=1e-5)
    layer.unmerge()
    assert all((one == two).all() for one, two in zip(trained, layer.get_weights(), strict=True))
    np.testing.assert_allclose(bake(model).predict(x, verbose=0), adapted, atol=1e-5)


def test_it_is_keras_own_lora_of_a_dense_layer():
    x, a, b = numbers(4, 5), numbers(5, 2, seed=1), numbers(2, 3, seed=2)
    theirs = keras.layers.Dense(3)
    ours_inside = keras.layers.Dense(3)
    for dense in (theirs, ours_inside):
        dense.build((None, 5))
    ours_inside.set_weights(theirs.get_weights())
    theirs.enable_lora(2, lora_alpha=6)
    theirs.lora_kernel_a.assign(a)
    theirs.lora_kernel_b.assign(b)
    ours = LoRA(ours_inside, 2, alpha=6)
    ours.build((None, 5))
    added = ours.computed[0].steps[0][1]
    added["a"].variable.assign(a)
    added["b"].variable.assign(b)
    np.testing.assert_allclose(array(ours(x)), array(theirs(x)), rtol=1e-5, atol=1e-5)
    assert [w.name for w in ours.trainable_weights] == ["lora_kernel_a", "lora_kernel_b", "bias"]


@pytest.mark.parametrize(("scaling", "scale"), [("lora", 2.0), ("rslora", 4.0)])
def test_the_update_is_divided_by_the_rank_or_its_root(scaling, scale):
    assert LowRank(4, alpha=8, scaling=scaling).scale == scale


def test_what_it_freezes_stays_frozen_when_the_layer_is_frozen_and_unfrozen():
    layer = LoRA(keras.layers.Dense(3), 2)
    model = keras.Sequential([keras.Input((5,)), layer])
    model.trainable = False
    assert model.trainable_weights == []
    model.trainable = True
    assert [w.name for w in model.trainable_weights] == ["lora_kernel_a", "lora_kernel_b", "bias"]


def test_dropout_drops_inputs_of_the_update_in_training_alone():
    layer = LoRA(keras.layers.Dense(400, use_bias=False, kernel_initializer="zeros"), 1, dropout=0.5, seed=3)
    x = np.eye(200, dtype="float32")
    layer(x)
    added = layer.computed[0].steps[0][1]
    added["a"].variable.assign(np.ones((200, 1)))
    added["b"].variable.assign(np.ones((1, 400)))
    np.testing.assert_array_equal(array(layer(x, training=False)), 1)
    first, second = (array(layer(x, training=True)) for _ in range(2))
    assert set(np.unique(first)) == {0.0, 2.0}
    assert (first != second).any()
    assert (first == first[:, :1]).all()


def adapted(**settings):
    layer = LoRA(keras.layers.Dense(3), 2, **settings)
    layer.build((None, 5))
    layer.computed[0].steps[0][1]["b"].variable.assign(numbers(2, 3, seed=1))
    return layer


def train(layer, key):
    variable = layer.computed[0].steps[0][1][key].variable
    variable.assign(array(variable.value) + 1)


@pytest.mark.parametrize("key", ["b", "magnitude"])
def test_what_was_trained_after_a_merge_is_not_lost_but_merged_again(key):
    layer = adapted(magnitude=key == "magnitude")
    with pytest.raises(RequestError, match="nothing is merged"):
        layer.unmerge()
    layer.merge()
    with pytest.raises(RequestError, match="merged already"):
        layer.merge()
    train(layer, key)
    with pytest.raises(RequestError, match="trained after the merge"):
        layer.unmerge()
    wanted = computed(layer)
    layer.merge()
    np.testing.assert_allclose(computed(layer), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("key", ["b", "magnitude"])
def test_unmerging_undoes_the_last_merge_and_keeps_what_was_trained_before_it(key):
    layer = adapted(magnitude=key == "magnitude")
    layer.merge()
    train(layer, key)
    trained = layer.get_weights()
    layer.merge()
    assert any((one != two).any() for one, two in zip(trained, layer.get_weights(), strict=True))
    for _ in range(2):
        layer.unmerge()
        assert all((one == two).all() for one, two in zip(trained, layer.get_weights(), strict=True))
        with pytest.raises(RequestError, match="only the last merge of kernel can be undone"):
            layer.unmerge()
        layer.merge()


def test_only_what_the_last_merge_put_in_is_taken_out():
    layer = LoRA(keras.layers.LSTM(3), 2)
    layer.build((None, 4, 5))
    begun = layer.get_weights()
    layer.merge()
    second = layer.computed[1]
    second.steps[0][1]["b"].variable.assign(numbers(2, 12, seed=1))
    layer.merge()
    layer.unmerge()
    assert (array(second.steps[0][1]["b"].variable.value) == numbers(2, 12, seed=1)).all()
    with pytest.raises(RequestError, match="only the last merge of recurrent_kernel"):
        layer.unmerge()
    second.steps[0][1]["b"].reinitialize()
    for one, two in zip(begun, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(two, one)


def test_a_merge_that_was_saved_is_for_good_and_the_next_one_can_be_undone(tmp_path):
    model = keras.Sequential([keras.Input((5,)), adapted()])
    x = numbers(4, 5)
    model.layers[0].merge()
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "merged.keras")
    loaded = keras.saving.load_model(tmp_path / "merged.keras")
    layer = loaded.layers[0]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), before)
    with pytest.raises(RequestError, match="a merge that was saved cannot be undone"):
        layer.unmerge()
    train(layer, "b")
    trained = layer.get_weights()
    layer.merge()
    layer.unmerge()
    assert all((one == two).all() for one, two in zip(trained, layer.get_weights(), strict=True))


def test_weights_that_are_changed_after_a_merge_are_kept():
    layer = adapted()
    layer.merge()
    layer.layer.kernel.assign(numbers(5, 3, seed=7))
    with pytest.raises(RequestError, match="kernel was changed since it was merged"):
        layer.unmerge()
    layer.merge()
    layer.unmerge()
    np.testing.assert_array_equal(array(layer.layer.kernel.value), numbers(5, 3, seed=7))


def test_weights_that_are_loaded_after_a_merge_are_kept():
    plain = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model = keras.Sequential([keras.Input((5,)), LoRA(keras.layers.Dense(3), 2)])
    model.layers[0].merge()
    load_unwrapped(model, plain)
    with pytest.raises(RequestError, match="nothing is merged"):
        model.layers[0].unmerge()
    np.testing.assert_array_equal(array(model.layers[0].layer.kernel.value), plain.get_weights()[0])


def test_a_weight_that_a_layer_has_by_two_addresses_is_adapted_once():
    layer = LoRA(keras.layers.SpectralNormalization(keras.layers.Dense(3)), 2)
    model = keras.Sequential([keras.Input((5,)), layer])
    assert len(layer.computed) == 1
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(numbers(*variable.shape, seed=number))
    x = numbers(4, 5)
    wanted, begun = array(model(x)), layer.get_weights()
    layer.merge()
    np.testing.assert_allclose(array(model(x)), wanted, rtol=1e-4, atol=1e-5)
    layer.unmerge()
    assert all((one == two).all() for one, two in zip(begun, layer.get_weights(), strict=True))
    plain = keras.Sequential([keras.Input((5,)), keras.layers.SpectralNormalization(keras.layers.Dense(3))])
    made = parametrize(plain, "**", LowRank(2))
    assert len(made.layers[0].computed) == 1


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("act", ["merge", "unmerge"])
@pytest.mark.parametrize("magnitude", [False, True])
def test_a_merge_that_fails_at_any_variable_is_none(act, error, magnitude, monkeypatch):
    layer = LoRA(keras.layers.LSTM(3), 2, magnitude=magnitude)
    layer.build((None, 4, 5))
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(numbers(*variable.shape, seed=number))
    if act == "unmerge":
        layer.merge()
    begun, kept = layer.get_weights(), [one.merge_record for one in layer.computed]
    assign = type(layer.variables[0]).assign
    for failing in range(4):
        calls = itertools.count()

        def failing_assign(self, value, failing=failing, calls=calls):
            if next(calls) == failing:
                raise error
            return assign(self, value)

        with monkeypatch.context() as patch:
            patch.setattr(type(layer.variables[0]), "assign", failing_assign)
            with pytest.raises(error):
                getattr(layer, act)()
        assert all((one == two).all() for one, two in zip(begun, layer.get_weights(), strict=True))
        assert [one.merge_record for one in layer.computed] == kept
    getattr(layer, act)()

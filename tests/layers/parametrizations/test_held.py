"""Held: entries keep their bits through everything that training does to a weight."""

from __future__ import annotations

from types import MappingProxyType

import keras
import numpy as np
import pytest
from layers_wrapped import Wrapped, array, computed, numbers

import weightkit
from weightkit.errors import RequestError
from weightkit.layers import Held, HeldWeights, LowRank, Parametrized, bake, load_unwrapped, parametrize
from weightkit.training import (
    freeze,
    load_optimizer_state,
    save_optimizer_state,
    trainable_summary,
    unfreeze,
    verify_training,
)

PATTERN = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]], bool)
IDS = np.array([[0, 1, 5], [8, 2, 7]])
ROWS = slice(0, 4)


class TestHeld(Wrapped):
    parametrization = Held
    settings = MappingProxyType({"entries": PATTERN})
    bad_arguments = ({"entries": "half"}, {"entries": 3})

    def kernel(self, weights):
        return np.where(weights["kernel_held_mask"] != 0, weights["kernel_held"], weights["kernel"])

    def assert_unit_norm(self, layer):
        """What is not held is that of the constrained kernel."""
        weight = layer.computed[0]
        base, held = array(weight.weight.variable.value), added(layer, "values")
        unit = np.where(PATTERN, held, base)
        unit /= np.linalg.norm(unit)
        np.testing.assert_array_equal(computed(layer)[PATTERN], held[PATTERN])
        np.testing.assert_allclose(computed(layer)[~PATTERN], unit[~PATTERN], 1e-5)


def added(layer, key):
    return array(layer.computed[0].steps[0][1][key].variable.value)


def embedded(**settings):
    """A small classifier of three tokens."""
    keras.utils.set_random_seed(2)
    emb = keras.layers.Embedding(9, 4, name="emb", **settings)
    return keras.Sequential([keras.Input((3,)), emb, keras.layers.Flatten(), keras.layers.Dense(1, name="head")])


def table(model):
    """The embeddings with which the model computes."""
    layer = model.get_layer("emb")
    return computed(layer) if isinstance(layer, Parametrized) else array(layer.embeddings.value)


def train(model, optimizer=None, epochs=2, **settings):
    """All rows get gradients, decay and averages."""
    optimizer = optimizer or keras.optimizers.AdamW(
        0.1, weight_decay=0.3, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    )
    model.compile(optimizer, "mse", **settings)
    model.fit(np.tile(IDS, (4, 1)), numbers(8, 1), batch_size=2, epochs=epochs, verbose=0)
    return model


@pytest.mark.every_backend
def test_held_rows_keep_their_bits_through_decay_averages_constraints_and_regularizers(tmp_path):
    model = embedded(embeddings_regularizer="l2", embeddings_constraint=keras.constraints.UnitNorm(axis=1))
    odd = table(model)
    odd[0] = [-0.0, 1e-40, 0.7, 1.0]  # bits that arithmetic would lose
    model.get_layer("emb").embeddings.assign(odd)
    begun = table(model)
    held = parametrize(model, "emb", Held("[0:4]"))
    np.testing.assert_array_equal(held.predict(IDS, verbose=0).shape, (2, 1))
    train(held)
    after = table(held)
    assert after[ROWS].tobytes() == begun[ROWS].tobytes()
    assert (after[5] != begun[5]).all()
    np.testing.assert_allclose(np.linalg.norm(after[4:], axis=1), 1, 1e-5)
    held.save(tmp_path / "held.keras")
    again = keras.saving.load_model(tmp_path / "held.keras")
    assert table(again).tobytes() == after.tobytes()
    again.fit(IDS, numbers(2, 1), verbose=0)
    assert table(again)[ROWS].tobytes() == begun[ROWS].tobytes()
    plain = bake(held)
    assert table(plain).tobytes() == after.tobytes()
    assert table(model).tobytes() == begun.tobytes()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.5, momentum=0.9, weight_decay=0.1),
        lambda: keras.optimizers.Adam(0.1, gradient_accumulation_steps=2),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Lion(0.1, weight_decay=0.1)),
    ],
)
def test_what_is_not_held_is_trained_as_if_nothing_were(optimizer):
    """By hand: the same training without Held, whose rows are set again after every step."""
    plain = embedded()
    begun, held = table(plain), parametrize(plain, "emb", Held("0:4"))
    for model in (plain, held):
        model.compile(optimizer(), "mse", run_eagerly=True)
        for step in range(6):
            model.train_on_batch(IDS, numbers(2, 1, seed=step))
            if model is plain:
                plain.get_layer("emb").embeddings.assign(np.concatenate([begun[ROWS], table(plain)[4:]]))
    np.testing.assert_allclose(table(held), table(plain), 1e-5)
    assert table(held)[ROWS].tobytes() == begun[ROWS].tobytes()
    assert (table(held)[5] != begun[5]).all()


@pytest.mark.parametrize(
    "text", ["[0:3]", "[:, 2]", "[-2:]", "[1]", "[..., 0]", "[::2, 1:]", "1, 2", "[-1, ...]", "[5:0:-2]"]
)
def test_an_index_is_that_of_numpy_and_the_mask_is_no_larger_than_it_must_be(text):
    layer = HeldWeights(keras.layers.Dense(3, use_bias=False), text)
    layer.build((None, 6))
    expected = np.zeros((6, 3), bool)
    expected[eval(f"np.s_[{text.strip('[]')}]")] = True  # noqa: S307  # NumPy itself reads the index
    mask = added(layer, "mask") != 0
    np.testing.assert_array_equal(np.broadcast_to(mask, (6, 3)), expected)
    assert layer.held_entries == {"kernel": (expected.sum(), 18)}
    sizes = [1 if (expected == expected.take([0], axis)).all() else expected.shape[axis] for axis in (0, 1)]
    assert mask.shape == tuple(sizes)
    again = Parametrized.from_config(layer.get_config())
    again.build((None, 6))
    np.testing.assert_array_equal(added(again, "mask") != 0, mask)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("[9]", r"entries must lie in embeddings of shape \(9, 4\), got \[9\]"),
        ("[0, 0, 0]", r"entries must lie in embeddings of shape \(9, 4\), got \[0, 0, 0\]"),
        ("[20:30]", r"entries must select at least one of embeddings of shape \(9, 4\), got \[20:30\]"),
        (np.zeros((9, 1), bool), "entries must select at least one"),
        (np.ones((2, 4), bool), r"entries must broadcast to the shape \(9, 4\) of embeddings, got shape \(2, 4\)"),
        (np.ones((9, 4)), r"entries must be text .* or an array of booleans, got array.* — for a mask of numbers"),
        ([0, 1], "entries must be text .* or an array of booleans, got"),
        ("[::0]", "entries must be text as in NumPy"),
        ("[..., ...]", "entries must be text as in NumPy"),
        ("[a:b]", "entries must be text as in NumPy"),
    ],
)
def test_what_selects_nothing_or_may_be_meant_otherwise_is_refused_in_one_line(entries, said):
    with pytest.raises(RequestError, match=said) as refused:
        parametrize(embedded(), "emb", Held(entries))
    assert "\n" not in str(refused.value)


def test_a_plan_says_how_many_entries_are_held_and_undo_restores():
    held = parametrize(embedded(), "emb", Held("[0:4]"))
    train(held, "sgd", 1, run_eagerly=True)
    before, flags = table(held), [v.trainable for v in held.variables]
    note = "emb/embeddings: 16 of 36 entries are held and not trained"
    assert note in trainable_summary(held).notes
    plan = freeze(held, "emb")
    assert note in plan.notes
    assert note in str(plan)
    held.fit(IDS, numbers(2, 1), verbose=0)
    assert table(held).tobytes() == before.tobytes()
    plan.undo()
    assert [v.trainable for v in held.variables] == flags
    unfreeze(held, "**")
    assert [v.trainable for v in held.variables] == flags
    verify_training(held, data=(IDS, numbers(2, 1))).raise_if_failed()
    held.fit(IDS, numbers(2, 1), verbose=0)
    assert table(held)[ROWS].tobytes() == before[ROWS].tobytes()
    assert (table(held)[5] != before[5]).all()


def test_other_weights_that_are_loaded_are_held_and_edits_reach_held_entries_by_name_alone(tmp_path):
    other = embedded()
    other.get_layer("emb").embeddings.assign(numbers(9, 4, seed=5))
    other.save_weights(tmp_path / "plain.weights.h5")
    held = parametrize(embedded(), "emb", Held("[0:4]"))
    load_unwrapped(held, tmp_path / "plain.weights.h5")
    assert table(held).tobytes() == table(other).tobytes()
    held.save(tmp_path / "held.keras")
    weightkit.scale(held, 2.0, "emb")
    weightkit.scale(tmp_path / "held.keras", 2.0, "emb")
    assert table(held)[ROWS].tobytes() == table(other)[ROWS].tobytes()
    np.testing.assert_array_equal(table(held)[4:], table(other)[4:] * 2)
    assert table(keras.saving.load_model(tmp_path / "held.keras")).tobytes() == table(held).tobytes()
    weightkit.scale(held, 2.0, "name:embeddings_held")
    np.testing.assert_array_equal(table(held), table(other) * 2)


def test_slots_of_the_model_without_held_entries_are_carried_by_a_file(tmp_path):
    model = train(embedded(), keras.optimizers.Adam(0.1), run_eagerly=True)
    save_optimizer_state(model, tmp_path / "opt.h5")
    held = parametrize(model, "emb", Held("[0:4]"))
    held.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    assert load_optimizer_state(held, tmp_path / "opt.h5").weights == 3
    pairs = zip(model.optimizer.variables, held.optimizer.variables, strict=True)
    assert all(array(old.value).tobytes() == array(new.value).tobytes() for old, new in pairs)


def test_held_applies_after_another_parametrization_and_to_a_bias_by_its_name():
    dense = keras.layers.Dense(3, bias_initializer="normal")
    layer = Parametrized(dense, kernel=[LowRank(1), Held("[0]")], bias=Held([True, False, False]))
    layer.build((None, 4))
    begun = computed(layer)
    layer.computed[0].steps[0][1]["b"].variable.assign(np.ones((1, 3)))
    np.testing.assert_array_equal(computed(layer)[0], begun[0])
    assert (computed(layer)[1:] != begun[1:]).all()
    bias = array(dense.bias.value)
    dense.bias.assign(np.zeros(3))
    np.testing.assert_array_equal(computed(layer, 1), [bias[0], 0, 0])

"""Rows and entries in `freeze`: held bit for bit on the live model, and released by `undo`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, fit, subclassed

from weightkit.errors import RequestError, SelectionError
from weightkit.layers import Parametrized, bake
from weightkit.training import FreezePlan, freeze, freeze_all_but, frozen, unfreeze
from weightkit.training.optimizer.slot_values import read_slots, values_of

IDS = np.array([[0, 1, 5], [8, 2, 7], [3, 4, 6], [0, 8, 5]])
GOALS = np.arange(4.0)[:, None]


def embedded(**options):
    """A small classifier of three tokens, trained a little."""
    keras.utils.set_random_seed(2)
    emb = keras.layers.Embedding(
        9, 4, name="emb", embeddings_constraint=keras.constraints.MaxNorm(0.8, axis=1), embeddings_regularizer="l2"
    )
    model = keras.Sequential([keras.Input((3,)), emb, keras.layers.Flatten(), keras.layers.Dense(1, name="head")])
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.3, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    model.compile(optimizer, "mse", **options)
    train(model)
    return model


def train(model):
    model.fit(IDS, GOALS, batch_size=2, epochs=2, verbose=0)


def table(model):
    """The embeddings with which the model computes."""
    layer = model.get_layer("emb")
    value = layer.computed[0].value(training=False) if isinstance(layer, Parametrized) else layer.embeddings.value
    return np.array(keras.ops.convert_to_numpy(value))


@pytest.mark.every_backend
def test_rows_of_the_live_model_keep_their_bits_and_undo_gives_them_back(tmp_path):
    model = embedded(run_eagerly=True)
    layer, odd = model.get_layer("emb"), table(model)
    odd[0] = [-0.0, 1e-40, 0.7, 5.0]  # bits that arithmetic and the constraint would lose
    layer.embeddings.assign(odd)
    settings = layer.embeddings.constraint, layer.embeddings.regularizer
    plan = freeze(model, ["emb[0:4]", "head"])
    assert str(plan).startswith("freeze(head | emb[0:4]) on Sequential 'sequential")
    assert plan.summary().endswith(": 2 flags change, 2 of 3 frozen, 1 with held entries")
    assert "emb/embeddings: 16 of 36 entries are held and not trained" in plan.notes
    assert [flag.ref.path for flag in plan.changed] == ["head/kernel", "head/bias"]
    train(model)
    held = table(model)
    assert held[:4].tobytes() == odd[:4].tobytes()
    assert (held[4:] != odd[4:]).all()
    model.save(tmp_path / "held.keras")
    again = keras.saving.load_model(tmp_path / "held.keras")
    assert table(again).tobytes() == table(bake(model)).tobytes() == held.tobytes()
    plan.undo()
    assert model.get_layer("emb") is layer
    assert table(model).tobytes() == held.tobytes()
    assert (layer.embeddings.constraint, layer.embeddings.regularizer) == settings
    average = read_slots(model.optimizer)[id(layer.embeddings)].slots["average"]
    assert average[:4].tobytes() == odd[:4].tobytes()
    assert len(model.trainable_variables) == 3
    assert len(model.variables) == len(model.trainable_variables)
    train(model)
    assert (table(model)[1:4] != odd[1:4]).all()
    plan.undo()  # a second time changes nothing
    assert model.get_layer("emb") is layer


@pytest.mark.every_backend
def test_a_mask_holds_single_entries_of_a_model_that_cannot_be_rebuilt():
    model = compiled("subclassed")
    layer, mask = model.part, np.eye(4, dtype=bool)
    begun = values_of(layer.kernel)
    with frozen(model, {"part/kernel": mask, "head": "[0]"}) as plan:
        assert plan.act == "freeze(part/kernel[mask] | head[0])"
        assert isinstance(model.part, Parametrized)
        fit(model)
        now = keras.ops.convert_to_numpy(model.part.computed[0].value(training=False))
        assert now[mask].tobytes() == begun[mask].tobytes()
        assert (now[~mask] != begun[~mask]).all()
    assert model.part is layer
    assert values_of(layer.kernel).tobytes() == now.tobytes()
    fit(model)
    assert (values_of(layer.kernel)[mask] != begun[mask]).all()


def test_a_saved_plan_is_applied_where_the_entries_are_held_alone(tmp_path):
    model = compiled("sequential")
    plan = freeze(model, "part[0:2]")
    plan.save(tmp_path / "plan.json")
    model.save(tmp_path / "model.keras")
    loaded = FreezePlan.load(tmp_path / "plan.json")
    assert loaded.held == plan.held == ("part/kernel: 8 of 16 entries are held and not trained",)
    loaded.apply(keras.saving.load_model(tmp_path / "model.keras"))
    with pytest.raises(RequestError, match="must hold the entries that the plan holds: part/kernel: 8 of 16"):
        loaded.apply(compiled("sequential"))


def test_what_is_wrong_or_meant_otherwise_is_refused_in_one_line_and_changes_nothing():
    model = compiled("sequential")
    layers = list(model.layers)
    for where, message in (
        (
            "part[mask]",
            r"text cannot hold a mask, got 'part\[mask\]' — give the array: freeze\(model, {'part': mask}\)",
        ),
        ("part[7]", "entries must lie in kernel"),
        ("nothing[0]", "nothing"),
        ({"part": [0, 1]}, "entries must be text as in NumPy"),
        (["part[0]", "part[1]"], "a weight must be selected once, .* give an array of booleans"),
        (["part[0]", "unknown"], "unknown"),
    ):
        with pytest.raises((RequestError, SelectionError), match=message) as error:
            freeze(model, where)
        assert "\n" not in str(error.value)
        assert model.layers == layers
    for act in (unfreeze, freeze_all_but):
        with pytest.raises(
            SelectionError, match=r"whole weights .* freeze\(model, 'part\[0\]'\) holds entries, and undo"
        ):
            act(model, "part[0]")
    with pytest.raises(SelectionError, match="whole weights"):
        freeze(model, "head", exclude={"part": "[0]"})
    first = freeze(model, "part[0]")
    with pytest.raises(RequestError, match=r"'part' is in a wrapper already, .* undo what wrapped it"):
        freeze(model, "part[1]")
    second = freeze(model, "head")
    first.undo()
    assert model.layers == layers
    assert not model.get_layer("head").trainable
    second.undo()
    assert len(model.trainable_variables) == 6


def test_brackets_of_a_glob_select_layers_as_before():
    blocks = [keras.layers.Dense(2, name=f"block{number}") for number in range(3)]
    model = keras.Sequential([keras.Input((2,)), *blocks])
    plan = freeze(model, "block[0,1]")
    assert [flag.ref.path for flag in plan.changed] == [
        "block0/kernel", "block0/bias", "block1/kernel", "block1/bias",
    ]  # fmt: skip


def test_a_plan_is_undone_together_with_other_models_that_share_the_layer():
    model = subclassed()
    around = keras.Sequential([keras.Input((4,)), model.part, keras.layers.Dense(1)])
    around.compile("adam", "mse", run_eagerly=True)
    around.fit(X, Y, verbose=0)
    layer = model.part
    plan = freeze(model, "part[0:2]")
    begun = values_of(layer.kernel)
    around.fit(X, Y, verbose=0)
    wrapper = around.layers[0]
    assert wrapper is model.part is not layer
    plan.undo()
    assert around.layers[0] is layer is model.part
    assert values_of(layer.kernel)[:2].tobytes() == begun[:2].tobytes()
    around.fit(X, Y, verbose=0)
    assert (values_of(layer.kernel)[:2] != begun[:2]).any()

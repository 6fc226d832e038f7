"""What `trainable_summary` says is what the model trains."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers

from weightkit.errors import RequestError
from weightkit.training.checking.summary import trainable_summary


def small():
    stack = [keras.Input((4,)), layers.Dense(3, name="body"), layers.BatchNormalization(name="norm")]
    return keras.Sequential([*stack, layers.Dense(2, name="head")], name="small")


def by_layer(model):
    return {layer.layer: layer for layer in trainable_summary(model).layers}


def counted(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_counts_are_those_of_keras():
    model = small()
    model.get_layer("body").trainable = False
    model.get_layer("head").bias.trainable = False
    summary = trainable_summary(model)
    assert summary.trainable == counted(model.trainable_variables)
    assert summary.frozen + summary.other == counted(model.non_trainable_variables)
    assert summary.parameters == model.count_params()
    assert summary.nbytes == 4 * model.count_params()


def test_a_layer_that_is_frozen_in_part_counts_both_parts():
    model = small()
    model.get_layer("head").bias.trainable = False
    head = by_layer(model)["head"]
    assert (head.trainable, head.frozen, head.other) == (6, 2, 0)


def test_statistics_follow_the_flag_of_their_layer_alone():
    model = small()
    assert by_layer(model)["norm"].statistics == "updated"
    for variable in model.get_layer("norm").trainable_variables:
        variable.trainable = False
    assert by_layer(model)["norm"].statistics == "updated"
    model.get_layer("norm").trainable = False
    assert by_layer(model)["norm"].statistics == "frozen"


def test_statistics_that_no_step_changes_are_fixed():
    norm = layers.Normalization(name="scaled")
    norm.adapt(np.arange(8, dtype="float32").reshape(2, 4))
    model = keras.Sequential([keras.Input((4,)), norm, layers.Dense(2, name="head")])
    assert by_layer(model)["scaled"].statistics == "fixed"


def test_a_frozen_model_trains_nothing_though_its_flags_below_are_on():
    model = small()
    model._trainable = False
    assert trainable_summary(model).trainable == 0 == counted(model.trainable_variables)


def test_a_shared_layer_is_listed_once():
    start, other = keras.Input((4,)), keras.Input((4,))
    both = layers.Dense(4, name="both")
    model = keras.Model([start, other], layers.Add()([both(start), both(other)]))
    assert [layer.layer for layer in trainable_summary(model).layers] == ["both"]


def test_what_lora_trains_and_does_not_save_is_counted():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="body")])
    model.layers[0].enable_lora(2)
    body = by_layer(model)["body"]
    assert (body.trainable, body.frozen) == (4 + 8 + 8, 16)


def test_learning_rates_are_shown_where_something_is_compiled():
    model = small()
    assert by_layer(model)["head"].learning_rates == ()
    model.compile(keras.optimizers.SGD(0.25), "mse")
    model.get_layer("body").trainable = False
    assert by_layer(model)["head"].learning_rates == (0.25,)
    assert by_layer(model)["body"].learning_rates == ()


def test_a_schedule_gives_the_rate_of_the_present_step():
    model = small()
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    assert by_layer(model)["head"].learning_rates == (0.5,)
    model.optimizer._iterations.assign(2)
    assert by_layer(model)["head"].learning_rates == (0.25,)


@pytest.mark.parametrize("built", [False, True])
def test_each_layer_has_the_rate_of_its_own_optimizer(built):
    model = small()
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5), {".*head/.*": keras.optimizers.SGD(0.125)})
    model.compile(keras.optimizers.MultiOptimizer(chosen), "mse")
    if built:
        model.optimizer.build(model.trainable_variables)
    found = by_layer(model)
    assert (found["body"].learning_rates, found["head"].learning_rates) == ((0.5,), (0.125,))


def test_loss_scaling_shows_the_rate_of_the_optimizer_inside():
    model = small()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)), "mse")
    assert by_layer(model)["head"].learning_rates == (0.5,)


def test_it_prints_a_line_a_layer_and_the_total():
    model = small()
    model.get_layer("body").trainable = False
    lines = str(trainable_summary(model)).splitlines()
    assert lines[0] == "Sequential 'small': 3 layers with weights, 14 of 35 parameters trained (40 %)"
    assert [line.split()[0] for line in lines[1:]] == ["layer", "body", "norm", "head", "total"]
    assert lines[-1].split() == ["total", "14", "15", "6", "140"]


def test_a_large_model_prints_layers_that_are_treated_alike_in_one_line():
    stack = [layers.Dense(2, name=f"d{number}") for number in range(100)]
    model = keras.Sequential([keras.Input((2,)), *stack])
    for layer in stack[:60]:
        layer.trainable = False
    lines = str(trainable_summary(model)).splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["d0 ... d59", "d60 ... d99", "total"]
    assert len(trainable_summary(model).to_dict()["layers"]) == 100


def test_a_notebook_is_shown_a_table_without_markup_of_the_models_own():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="<b>")])
    shown = trainable_summary(model)._repr_html_()
    assert "<td>&lt;b&gt;</td>" in shown
    assert "<b>" not in shown


def test_it_is_json():
    record = trainable_summary(small()).to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["totals"] == {"trainable": 29, "frozen": 0, "other": 6, "parameters": 35, "bytes": 140}


def test_it_cannot_be_changed():
    summary = trainable_summary(small())
    with pytest.raises(AttributeError):
        summary.model = "other"


def test_a_model_without_weights_yet_is_refused():
    with pytest.raises(RequestError, match="has not been built"):
        trainable_summary(keras.Sequential([layers.Dense(2)]))

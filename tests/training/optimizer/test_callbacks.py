"""Keras' callbacks of the learning rate work on what our helpers make, and keep the ratios between groups."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, fit, slots

from weightkit.errors import RequestError
from weightkit.training import GroupedOptimizer, freeze, recompile, unfreeze


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def grouped(model):
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def rates(model):
    return [float(keras.ops.convert_to_numpy(one.learning_rate)) for one in grouped(model).inner_optimizers]


def logged(model, callback, epochs=3):
    """The rates that a callback logs in epochs without steps."""
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch in range(epochs):
        logs = {"loss": 1.0}
        callback.on_epoch_begin(epoch, logs)
        callback.on_epoch_end(epoch, logs)
        found.append(logs["learning_rate"])
    return found


def plateau():
    return keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e6)


def late(ratio=0.25):
    """A model whose ``part`` was frozen in the first steps, and has a rate of its own."""
    model = compiled()
    freeze(model, "part")
    grouped(model)._iterations.assign(3)
    unfreeze(model, "part")
    slow = next(one for one in grouped(model).inner_optimizers if "part" in one._trainable_variables[0].path)
    slow.learning_rate = 0.01 * ratio
    return model


def both_callbacks_work(model):
    start = np.array(rates(model))
    assert np.allclose(logged(model, plateau()), [0.01, 0.01, 0.005])
    # Keras reads the rate before it reduces it.
    assert np.allclose(rates(model), start / 4)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, _: 0.01 / 2**epoch)
    assert np.allclose(logged(model, schedule), [0.01, 0.005, 0.0025])
    assert np.allclose(rates(model), start / 4)
    half = keras.callbacks.LearningRateScheduler(lambda _, rate: rate * 0.5)
    assert np.allclose(logged(model, half, 1), [0.00125])
    model.optimizer.learning_rate = 0.01
    assert np.allclose(rates(model), start)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"], indirect=True)
def test_both_callbacks_keep_the_ratio_after_every_helper_and_a_file(policy, tmp_path):
    model = late()
    assert isinstance(grouped(model), GroupedOptimizer)
    assert (grouped(model) is not model.optimizer) == (policy == "mixed_float16")
    names = [one.name for one in grouped(model).inner_optimizers]
    assert len(set(names)) == 2
    both_callbacks_work(model)
    recompile(model)
    freeze(model, "middle")
    unfreeze(model, "middle")
    assert [one.name for one in grouped(model).inner_optimizers] == names
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    assert isinstance(grouped(loaded), GroupedOptimizer)
    assert sorted(slots(loaded.optimizer).values()) == sorted(slots(model.optimizer).values())
    both_callbacks_work(model)
    both_callbacks_work(loaded)


@pytest.mark.every_backend
@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_callbacks_set_the_rates_within_fit():
    model, seen = late(), []
    model.run_eagerly = False
    halve = keras.callbacks.LearningRateScheduler(lambda _, rate: rate * 0.5)
    see = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(sorted(rates(model))))
    known = model.fit(X, Y, batch_size=12, epochs=3, verbose=0, callbacks=[halve, plateau(), see]).history
    assert np.allclose(known["learning_rate"], [0.005, 0.0025, 0.000625])
    assert np.allclose(seen, [[0.00125, 0.005], [0.0003125, 0.00125], [0.000078125, 0.0003125]])


@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_a_multi_optimizer_of_keras_in_a_loss_scale_gets_a_rate():
    make, model = keras.optimizers, compiled()
    inner = make.MultiOptimizer(make.OptimizerMap(make.Adam(0.01), {".*part/.*": make.SGD(0.0025)}))
    model.compile(inner, "mse", run_eagerly=True)
    with pytest.raises(AttributeError):
        logged(model, plateau())
    recompile(model)
    both_callbacks_work(model)


def test_a_warmup_from_zero_keeps_the_ratio_also_through_a_file(tmp_path):
    model = late()
    start = rates(model)
    model.optimizer.learning_rate = 0.0
    assert rates(model) == [0.0, 0.0]
    recompile(model)
    model.save(tmp_path / "model.keras")
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        one.optimizer.learning_rate = 0.01
        assert rates(one) == start


def test_only_groups_that_train_something_count_for_the_rate():
    model = late(ratio=4)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.04)
    freeze(model, "part")
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    model.optimizer.learning_rate = 0.02
    unfreeze(model, "part")
    assert sorted(rates(model)) == pytest.approx([0.02, 0.08])


def test_a_rate_that_cannot_keep_the_ratio_is_refused():
    model, schedule = late(), keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    with pytest.raises(RequestError, match="must be set to a number, from numbers: got ExponentialDecay"):
        model.optimizer.learning_rate = schedule
    model.optimizer.inner_optimizers[0].learning_rate = schedule
    with pytest.raises(RequestError, match="adam_1 follow a schedule"):
        model.optimizer.learning_rate = 0.1


def test_layers_keep_their_order_beside_groups():
    model = late()
    freeze(model, "first:2:*")
    assert {variable.path.split("/")[-2] for variable in model.trainable_variables} == {"head"}


def test_callbacks_of_moving_averages_work_on_groups():
    model = compiled(optimizer="ema")
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part")
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    averages = [keras.ops.convert_to_numpy(v) for v in model.optimizer._model_variables_moving_average]
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    assert all(np.allclose(v, known) for v, known in zip(model.trainable_variables, averages, strict=True))
    swap.on_test_end()
    assert all(np.allclose(v, known) for v, known in zip(model.trainable_variables, before, strict=True))

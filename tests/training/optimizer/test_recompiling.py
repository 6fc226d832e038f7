"""Recompiling keeps every argument, and starts late weights with steps of their own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, counter, fit, same, slots, traced, weights

from weightkit.errors import RequestError
from weightkit.training import freeze, recompile, unfreeze
from weightkit.training.optimizer.slot_values import values_of
from weightkit.training.optimizer.slots import slots_of


def test_every_argument_of_compile_stays_the_object_that_was_given():
    def loss(truth, guess):
        return keras.ops.mean(keras.ops.square(truth - guess), axis=-1)

    metric, weighted = keras.metrics.MeanAbsoluteError(), keras.metrics.MeanSquaredError()
    model = compiled(loss=loss, metrics=[metric], weighted_metrics=[weighted], steps_per_execution=1)
    before = dict(model._compile_config.config)
    recompile(model)
    after = dict(model._compile_config.config)
    assert before.pop("optimizer") is not after.pop("optimizer")
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] or after[name] == before[name] for name in before)
    assert after["loss"] is loss
    assert after["metrics"][0] is metric
    assert after["weighted_metrics"][0] is weighted
    assert model.run_eagerly


def test_a_lambda_as_loss_and_a_schedule_are_carried():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    model = compiled()
    model.compile(keras.optimizers.Adam(schedule), loss=lambda a, b: keras.ops.mean((a - b) ** 2), run_eagerly=True)
    fit(model)
    recompile(model)
    assert model.optimizer._learning_rate is schedule
    assert float(values_of(model.optimizer.variables[0])) == 3
    fit(model)


@pytest.mark.parametrize("optimizer", ["adam", "loss_scale"])
def test_a_learning_rate_replaces_the_present_one(optimizer):
    model = compiled(optimizer=optimizer)
    fit(model)
    known = slots(model.optimizer)
    recompile(model, learning_rate=0.5)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.5
    assert slots(model.optimizer) == known


def test_a_learning_rate_that_was_changed_stays():
    model = compiled()
    model.optimizer.learning_rate = 0.125
    recompile(model)
    assert float(values_of(model.optimizer._learning_rate)) == 0.125


@pytest.mark.every_backend
@pytest.mark.parametrize("optimizer", ["adam", "loss_scale"])
def test_weights_that_were_frozen_before_the_first_step_count_their_own_steps_when_keras_had_built_slots(optimizer):
    plain, built = compiled(optimizer=optimizer), compiled(optimizer=optimizer)
    built.optimizer.build(built.trainable_variables)  # as Keras does for a loaded or cloned model
    for model in (plain, built):
        freeze(model, "part")
        fit(model)
        freeze(model, "head")  # what was trained is parked
        unfreeze(model, "**")
        fit(model)
    assert type(built.optimizer) is type(plain.optimizer)
    assert sorted(slots(built.optimizer).values()) == sorted(slots(plain.optimizer).values())
    ours, theirs = weights(built).values(), weights(plain).values()
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_fresh_forgets():
    model = compiled()
    fit(model)
    freeze(model, "part")
    done = recompile(model, optimizer_state="fresh")
    assert counter(model.optimizer) == 0
    assert not any(np.frombuffer(v, "float32").any() for v in slots(model.optimizer).values())
    assert done.carried == 0
    unfreeze(model, "part")
    assert not any(np.frombuffer(v, "float32").any() for v in slots(model.optimizer).values())


def test_mixed_precision_is_wrapped_once():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    model.compile("adam", "mse")
    recompile(model)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert isinstance(model.optimizer.inner_optimizer, keras.optimizers.Adam)
    model.compile("adam", "mse", auto_scale_loss=False)
    recompile(model)
    assert isinstance(model.optimizer, keras.optimizers.Adam)


def late(step_count, *, optimizer="adam"):
    """The largest first step of weights that are unfrozen after many steps, in learning rates."""
    model = compiled(optimizer=optimizer)
    freeze(model, "part")
    fit(model)
    model.optimizer.variables[0].assign(10_000)
    unfreeze(model, "part", step_count=step_count)
    before = weights(model, "part")
    model.fit(X[:4], Y[:4], batch_size=4, verbose=0)
    after = weights(model, "part")
    return model, max(np.abs(after[key] - before[key]).max() for key in before) / 0.01


@pytest.mark.every_backend
def test_weights_that_come_late_take_one_learning_rate_by_steps_of_their_own():
    _, own = late("separate")
    _, kept = late("shared")
    assert own == pytest.approx(1, abs=0.01)
    assert kept == pytest.approx(3.16, abs=0.01)  # (1 - 0.9) / sqrt(1 - 0.999)


def test_weights_that_come_late_to_an_optimizer_without_steps_stay_with_it():
    model, _ = late("separate", optimizer="momentum")
    assert isinstance(model.optimizer, keras.optimizers.SGD)


@pytest.mark.parametrize("rate", ["schedule", "global_clipnorm"])
def test_what_goes_over_all_weights_is_not_parted_for_those_that_come_late(rate):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    settings = {"learning_rate": schedule} if rate == "schedule" else {"global_clipnorm": 1e-3}
    model = compiled(optimizer="adam")
    model.compile(keras.optimizers.Adam(**settings), "mse", run_eagerly=True)
    freeze(model, "part")
    fit(model)
    plan = unfreeze(model, "part")
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert [note for note in plan.notes if "several times the learning rate (a schedule or" in note]


def test_a_learning_rate_of_numpys_is_a_number():
    model = compiled(optimizer="adam")
    recompile(model, learning_rate=np.float32(0.125))
    assert float(model.optimizer.learning_rate) == 0.125


def test_a_moving_average_begins_at_the_weight():
    model = compiled(optimizer="ema")
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part", step_count="shared")
    averages = {id(slot.owner): slot.variable for slot in slots_of(model.optimizer) if slot.name == "average"}
    for variable in model.get_layer("part").trainable_variables:
        assert values_of(averages[id(variable)]).tobytes() == values_of(variable).tobytes()


@pytest.mark.every_backend
def test_generations_of_late_weights_count_their_own_steps_and_are_saved(tmp_path):
    model = compiled()
    freeze(model, ["part", "middle"])
    fit(model)
    unfreeze(model, "middle")
    fit(model)
    unfreeze(model, "part")
    fit(model)
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [3, 6, 9]
    freeze(model, "middle")
    fit(model)
    unfreeze(model, "middle")
    assert sorted(counter(one) for one in model.optimizer.inner_optimizers) == [6, 6, 12]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert sorted(counter(one) for one in loaded.optimizer.inner_optimizers) == [6, 6, 12]
    assert sorted(map(len, (slots(loaded.optimizer),))) == [12]
    known = sorted(slots(model.optimizer).values())
    assert sorted(slots(loaded.optimizer).values()) == known
    assert fit(loaded) == fit(model)


def test_a_users_own_multi_optimizer_keeps_its_patterns():
    model = compiled()
    known = keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01), {".*part/.*": keras.optimizers.SGD(0.1, 0.9)})
    model.compile(keras.optimizers.MultiOptimizer(known), "mse", run_eagerly=True)
    fit(model)
    before = slots(model.optimizer)
    freeze(model, "part")
    fit(model)
    unfreeze(model, "part")
    after = slots(model.optimizer)
    assert [key for key in before if before[key] == after[key]] == [key for key in before if key[1] == "momentum"][:2]
    assert list(model.optimizer._optimizer_map) == [".*part/.*"]


def test_two_weights_of_one_path_cannot_have_different_optimizers():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(4, name="same"), keras.layers.Dense(1, name="same")]

    class Twin(keras.Model):
        def __init__(self):
            super().__init__()
            self.a_one, self.b_two = layers

        def call(self, inputs):
            return self.b_two(self.a_one(inputs))

    model = Twin()
    model(X[:2])
    model.compile("adam", "mse", run_eagerly=True)
    freeze(model, "re:^a_one")
    fit(model)
    flags = [v.trainable for v in model.variables]
    with pytest.raises(RequestError, match="tells weights apart by their paths alone"):
        unfreeze(model, "re:^a_one")
    assert [v.trainable for v in model.variables] == flags
    unfreeze(model, "re:^a_one", step_count="shared")
    before = weights(model)
    fit(model)
    assert not same(weights(model), before)


def test_a_compile_of_its_own_is_passed_by_and_one_with_several_optimizers_is_refused():
    class Own(keras.Sequential):
        def compile(self, optimizer, loss, extra=None, other=None):
            super().compile(optimizer=optimizer, loss=loss)
            self.extra = extra
            if other is not None:
                self.other = other

    model = Own([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse", extra=3)
    fit(model)
    recompile(model)
    assert model.extra == 3
    assert counter(model.optimizer) == 3
    model.compile("adam", "mse", other=keras.optimizers.SGD())
    with pytest.raises(RequestError, match="several optimizers"):
        recompile(model)


def test_what_is_not_compiled_and_words_that_are_not_known_are_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(RequestError, match="must be compiled"):
        recompile(model)
    with pytest.raises(RequestError, match="'carry', 'fresh'"):
        recompile(compiled(), optimizer_state="new")


@pytest.mark.every_backend
def test_after_fit_with_averages_on_jax_keras_fails_and_ours_goes_on():
    model = traced(optimizer="ema")
    fit(model)
    if keras.config.backend() == "jax":
        with pytest.raises(Exception, match=r"donate|deleted|not callable"):
            fit(model)
        with pytest.raises(RequestError, match="have no value"):
            recompile(model)
        model = traced(optimizer="ema")
        fit(model)
    recompile(model)
    fit(model)


class Counting(keras.layers.Layer):
    """Counts how often Python runs it: once a trace where the backend traces, else once a step."""

    calls = 0

    def call(self, inputs):
        Counting.calls += 1
        return inputs


def calls_of_fit(model):
    Counting.calls = 0
    fit(model)
    return Counting.calls


@pytest.mark.every_backend
def test_a_freeze_is_traced_once_and_no_more():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="part"), Counting(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    first, again = calls_of_fit(model), calls_of_fit(model)
    Counting.calls = 0
    freeze(model, "part")
    assert Counting.calls == 0
    assert calls_of_fit(model) <= first
    assert calls_of_fit(model) == again
    assert again == (3 if keras.config.backend() == "torch" else 0)


def test_a_multi_optimizer_by_a_function_goes_on_with_new_optimizers():
    model = compiled()
    some, other = keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(
        keras.optimizers.MultiOptimizer(lambda v: some if "part" in v.path else other), "mse", run_eagerly=True
    )
    fit(model)
    before = slots(model.optimizer)
    freeze(model, "middle")
    fit(model)
    unfreeze(model, "middle")
    assert slots(model.optimizer).keys() == before.keys()
    assert not {id(some), id(other)} & {id(one) for one in model.optimizer.optimizers}
    assert sorted(counter(one) for one in model.optimizer.optimizers) == [6, 6]
    fit(model)


def test_what_is_excluded_from_weight_decay_stays_so():
    model = compiled()
    optimizer = keras.optimizers.AdamW(0.01)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse", run_eagerly=True)
    fit(model)
    recompile(model)
    decays = {v.name: model.optimizer._use_weight_decay(v) for v in model.trainable_variables}
    assert decays == {"kernel": True, "bias": False}

"""Parametrizing a live model in place: the same model, wherever it holds the layer, with what it was trained with."""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest
from training_cases import X, Y, compiled, fit, shared, subclassed

from weightkit.errors import RequestError
from weightkit.layers import Held, LowRank, Parametrized, Tied, WeightNorm, bake, parametrize
from weightkit.layers.parametrized.replacing.places import Place
from weightkit.training import freeze, parametrize_in_place
from weightkit.training.optimizer.slot_values import read_slots, values_of

ROWS = slice(0, 2)


class Holding(keras.Model):
    """Layers in an attribute, a list, a dictionary in it, a tuple and a plain object."""

    def __init__(self):
        super().__init__()
        self.part = keras.layers.Dense(4, name="part")
        self.more = [keras.layers.Dense(4, name="listed"), {"key": keras.layers.Dense(4, name="keyed")}]
        self.pair = (keras.layers.Dense(4, name="first"), keras.layers.Dense(4, name="second"))
        self.plain = Plain(self.part)

    def call(self, inputs):
        hidden = self.more[1]["key"](self.more[0](self.part(inputs)))
        for layer in self.pair:
            hidden = layer(hidden)
        return self.plain.layer(hidden)[:, :1]


class Plain:
    """What Keras does not know."""

    def __init__(self, layer):
        self.layer = layer


def branches():
    """A layer that is called twice, on two branches, next to a model that is called in the graph."""
    part = keras.layers.Dense(4, name="part", kernel_constraint="non_neg")
    inner = keras.Input((4,))
    nested = keras.Model(inner, keras.layers.Dense(4, name="deep")(inner), name="nested")
    inputs = keras.Input((4,))
    first = part(inputs)
    second = part(nested(keras.layers.Activation("tanh")(first)))
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(keras.layers.Concatenate()([first, second])))


def stack():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="part"), keras.layers.Dense(1)])


def holding():
    model = Holding()
    model(X[:2])
    return model


def made(make, optimizer=None, **options):
    """A model that has been trained, always the same."""
    keras.utils.set_random_seed(3)
    model = make()
    model.compile(optimizer or keras.optimizers.AdamW(0.05, weight_decay=0.2), "mse", **options)
    model.fit(X, Y, batch_size=4, verbose=0)
    return model


def wrappers(model):
    return [one for one in model._flatten_layers() if isinstance(one, Parametrized)]


def bits(value):
    return keras.ops.convert_to_numpy(value).tobytes()


def kernels(model):
    return {one.name: keras.ops.convert_to_numpy(one.computed[0].value(training=False)) for one in wrappers(model)}


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ("make", "where", "eagerly"),
    [(branches, ["part", "nested/deep"], False), (stack, "part", True), (holding, "**", True)],
)
def test_the_same_model_computes_the_same_and_goes_on_training(make, where, eagerly):
    model = made(make, run_eagerly=eagerly)  # traced, where it is not eager
    outputs, variables, slots = bits(model(X)), {id(v) for v in model.variables}, read_slots(model.optimizer)
    assert parametrize_in_place(model, where, Held("[0:2]")) is model
    assert bits(model(X)) == outputs
    assert variables < {id(v) for v in model.variables}
    after = read_slots(model.optimizer)
    assert after.keys() == slots.keys()
    assert all(bits(after[key].slots[name]) == bits(v) for key in slots for name, v in slots[key].slots.items())
    assert int(model.optimizer.iterations) == 3
    begun = kernels(model)
    assert len(begun) == {branches: 2, stack: 1, holding: 5}[make]
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    for name, kernel in kernels(model).items():
        assert kernel[ROWS].tobytes() == begun[name][ROWS].tobytes()
        assert (kernel[2:] != begun[name][2:]).any()
    # Keras lists the parameters of PyTorch in each module.
    held = {v.path for one in wrappers(model) for v in one.non_trainable_variables if v.path.endswith("_held")}
    assert len(held) == len(begun)
    if keras.backend.backend() == "torch":
        assert {id(p) for p in model.parameters()} >= {id(v.value) for v in model.variables}


@pytest.mark.every_backend
def test_training_is_that_of_a_plain_model_whose_rows_are_set_again_after_each_step():
    keras.utils.set_random_seed(3)
    plain = shared()
    plain.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    kernel = plain.get_layer("part").kernel
    model = keras.models.clone_model(plain)
    model.set_weights(plain.get_weights())
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    parametrize_in_place(model, "part", Held("[0:2]"))
    begun = np.array(values_of(kernel))
    for start in (0, 4, 8):
        plain.train_on_batch(X[start : start + 4], Y[start : start + 4])
        kernel.assign(np.concatenate([begun[ROWS], values_of(kernel)[2:]]))
        model.train_on_batch(X[start : start + 4], Y[start : start + 4])
    np.testing.assert_allclose(kernels(model)["part"], values_of(kernel), 1e-5, 1e-6)
    np.testing.assert_allclose(values_of(model.layers[-1].kernel), values_of(plain.layers[-1].kernel), 1e-5, 1e-6)


def test_every_live_model_that_holds_the_layer_gets_the_wrapper_and_is_compiled_again():
    model = made(branches)
    part = model.get_layer("part")
    features = keras.Model(model.inputs, part._inbound_nodes[0].outputs)
    features.compile("sgd", "mse")
    features.predict(X, verbose=0)
    function = keras.Function(model.inputs, model.outputs)
    around = Plain(keras.Sequential([keras.Input((4,)), model]))
    around.layer.compile("sgd", "mse")
    around.layer.predict(X, verbose=0)
    parametrize_in_place(model, "part", Held("[0:2]"))
    (wrapper,) = wrappers(model)
    assert wrapper.layer is part
    assert not part._inbound_nodes
    assert features.get_layer("part") is wrapper
    assert wrapper.output.shape == (None, 4)
    assert wrapper in function.operations
    assert features.optimizer.variables
    wrapper.computed[0].steps[0][1]["values"].variable.assign(np.zeros((4, 4)))
    expected = X[:, 2:] @ kernels(model)["part"][2:] + values_of(part.bias)
    np.testing.assert_allclose(features.predict(X, verbose=0), expected, 1e-4, 1e-5)
    outputs = model.predict(X, verbose=0)
    np.testing.assert_allclose(around.layer.predict(X, verbose=0), outputs, 1e-5, 1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(function([X])[0]), outputs, 1e-5, 1e-6)


@pytest.mark.every_backend
def test_files_are_those_of_a_copy_and_a_file_of_weights_fits_a_subclassed_model(tmp_path):
    model = made(branches, run_eagerly=True)
    copy = parametrize(model, ["part", "nested/deep"], Held("[0:2]"))
    parametrize_in_place(model, ["part", "nested/deep"], Held("[0:2]"))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert bits(again(X)) == bits(model(X))
    assert [type(one).__name__ for one in again.layers] == [type(one).__name__ for one in model.layers]
    assert len(again.optimizer.variables) == len(model.optimizer.variables)
    model.save_weights(tmp_path / "m.weights.h5")
    model.set_weights([2 * weight for weight in model.get_weights()])
    model.load_weights(tmp_path / "m.weights.h5")
    copy.load_weights(tmp_path / "m.weights.h5")
    assert bits(copy(X)) == bits(model(X))
    baked = {v.path: bits(v.value) for v in bake(model).variables}
    assert baked["part/kernel"] == kernels(model)["part"].tobytes()
    first, second = holding(), holding()
    for one in (first, second):
        parametrize_in_place(one, "**", WeightNorm())
    first.save_weights(tmp_path / "s.weights.h5")
    second.load_weights(tmp_path / "s.weights.h5")
    assert bits(second(X)) == bits(first(X))


@pytest.mark.every_backend
def test_factors_get_slots_at_zero_and_the_frozen_base_keeps_its_bits():
    model = made(subclassed, keras.optimizers.Adam(0.01), run_eagerly=True)
    base = model.part.kernel
    kept = bits(base)
    parametrize_in_place(model, "part", LowRank(2), step_count="shared")
    added = [v for v in model.part.trainable_variables if "lora" in v.path]
    slots = read_slots(model.optimizer)
    assert len(added) == 2
    assert not any(values.any() for v in added for values in slots[id(v)].slots.values())
    assert id(base) not in slots
    model.fit(X, Y, verbose=0)
    assert bits(base) == kept
    assert all(values.any() for v in added[1:] for values in read_slots(model.optimizer)[id(v)].slots.values())


@pytest.mark.parametrize("count", [0, 4, 8, 12])
def test_where_replacing_stops_in_the_middle_everything_is_as_before(count, monkeypatch):
    model = compiled("shared")
    left, replace = [count], Place.set

    def stop(place):
        if not left[0]:
            raise KeyboardInterrupt("stopped")
        left[0] -= 1
        replace(place)

    monkeypatch.setattr(Place, "set", stop)
    refused(model, "part", Held("[0:2]"), "stopped", error=KeyboardInterrupt)
    monkeypatch.undo()
    assert len(fit(model)) == 1
    parametrize_in_place(model, "part", Held("[0:2]"))
    assert len(wrappers(model)) == 1


class TwoOptimizers(keras.Model):
    """It cannot be compiled again."""

    def __init__(self, layer):
        super().__init__()
        self.part = layer

    def compile(self, **options):
        super().compile(**options)
        self.other = keras.optimizers.SGD()


def refused(model, where, parametrization, message, *, error=RequestError):
    """An attempt is refused in one line, and everything is as it was."""
    looks = [model.get_config(), [id(one) for one in model.layers], model.optimizer, bits(model(X))]
    variables = [(id(v), v.constraint, v.regularizer, v.trainable) for v in model.variables]
    nodes = [list(map(id, one._inbound_nodes)) for one in model.layers]
    with pytest.raises(error, match=message) as raised:
        parametrize_in_place(model, where, parametrization)
    assert "\n" not in str(raised.value)
    assert [model.get_config(), [id(one) for one in model.layers], model.optimizer, bits(model(X))] == looks
    assert [(id(v), v.constraint, v.regularizer, v.trainable) for v in model.variables] == variables
    assert [list(map(id, one._inbound_nodes)) for one in model.layers] == nodes
    assert wrappers(model) == []


@pytest.mark.every_backend
def test_on_an_error_at_the_end_everything_is_as_before():
    model = made(branches, run_eagerly=True)
    other = TwoOptimizers(model.get_layer("part"))
    other.compile(optimizer="sgd", loss="mse")
    part = other.part
    refused(model, "part", LowRank(2), "must be compiled again too: .* has several optimizers")
    assert other.part is part
    losses = model.fit(X, Y, batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    del other
    parametrize_in_place(model, "part", Held("[0:2]"))  # nothing of the attempt is in the way


def test_what_cannot_be_done_soundly_is_refused_and_changes_nothing():
    model = made(branches, run_eagerly=True)
    head, part = model.get_layer("head"), model.get_layer("part")
    refused(model, "part", Tied(head), "Tied must not be applied in place")
    refused(model, "part", Held("[7]"), "entries must lie in kernel")
    refused(model, "part", [], "parametrization must be")
    user = subclassed()
    user.function = lambda inputs: part(inputs) * 2
    refused(model, "part", Held("[0:2]"), "'function' must not hold a method or function of the layer 'part'")
    user.function = part.compute_output_shape
    refused(model, "part", Held("[0:2]"), "'function' must not hold a method or function of the layer 'part'")
    del user
    gc.collect()
    model.compile("sgd", lambda true, predicted: (part(predicted) - true) ** 2, run_eagerly=True)
    refused(model, "part", Held("[0:2]"), "'loss' must not hold a method or function of the layer 'part'")
    model.compile("sgd", "mse", run_eagerly=True)

    class Late(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            parametrize_in_place(self.model, "part", Held("[0:2]"))

    with pytest.raises(RequestError, match="must not be replaced while"):
        model.fit(X, Y, verbose=0, callbacks=[Late()])
    model.get_layer("nested").trainable = False
    refused(model, "nested/deep", LowRank(1), "'nested' is frozen, and what is added in it would not be trained")
    parametrize_in_place(model, "part", Held("[0:2]"))
    with pytest.raises(RequestError, match="'part' is in a wrapper already"):
        parametrize_in_place(model, "part", WeightNorm())
    with pytest.raises(RequestError, match="which is in no layer that can be wrapped"):
        parametrize_in_place(head, "kernel", WeightNorm())
    inner = keras.layers.LSTM(2, name="lstm")
    twice = keras.Sequential([keras.Input((3, 2)), inner])
    user = Plain(keras.layers.RNN(inner.cell, name="direct"))
    user.layer(np.ones((1, 3, 2)))
    with pytest.raises(RequestError, match=r"'direct' uses 'lstm_cell.*', which is in 'lstm'"):
        parametrize_in_place(twice, "lstm", WeightNorm())


def test_without_recompile_the_model_is_not_compiled_and_traces_again():
    model = compiled("sequential", run_eagerly=False)
    model.fit(X, Y, verbose=0)
    optimizer, begun = model.optimizer, values_of(model.get_layer("part").kernel)
    parametrize_in_place(model, "part", Held("[0:2]"), recompile=False)
    assert model.optimizer is optimizer
    assert model.train_function is None
    model.fit(X, Y, verbose=0)
    assert bits(kernels(model)["part"][ROWS]) == bits(begun[ROWS])
    plan = freeze(model, "part")
    assert "part/kernel: 8 of 16 entries are held and not trained" in plan.notes

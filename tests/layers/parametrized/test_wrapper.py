"""Parametrized: everything that a layer does goes on inside it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from layers_wrapped import array, computed, numbers

from weightkit import open_weights
from weightkit.errors import RequestError
from weightkit.layers import LoRA, LowRank, Mask, Parametrization, Parametrized, SpectralNorm, WeightNorm
from weightkit.testing.layer import backends

ONES = Mask(1.0)
"""Changes nothing: what is inside must do what it does outside, number by number."""


@keras.saving.register_keras_serializable(package="weightkit-tests")
class Block(keras.layers.Layer):
    """Everything that goes on besides the output: statistics, seeds, losses."""

    def build(self, input_shape):
        self.dense = keras.layers.Dense(6, kernel_regularizer=keras.regularizers.L2(0.01), activity_regularizer="l2")
        self.norm = keras.layers.BatchNormalization(momentum=0.5)
        self.drop = keras.layers.Dropout(0.5, seed=3)
        self.dense.build(input_shape)
        self.norm.build((*input_shape[:-1], 6))

    def call(self, inputs, training=None):
        hidden = self.norm(self.dense(inputs), training=training)
        self.add_loss(0.1 * keras.ops.mean(hidden**2))
        return self.drop(hidden, training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 6)


@pytest.mark.every_backend
@pytest.mark.parametrize("eager", [True, False], ids=["eager", "compiled"])
def test_statistics_seeds_regularizers_and_losses_go_on_inside_as_outside(eager):
    x, y = numbers(16, 5), numbers(16, 6)
    histories, weights = [], []
    for wrap in (lambda block: block, lambda block: Parametrized(block, kernel=ONES)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((5,)), wrap(Block(name="block"))])
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eager)
        histories.append(model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"])
        named = {ref.structure.rpartition("dense")[2]: ref for ref in open_weights(model)}
        weights.append({r.name: open_weights(model).read(r) for r in named.values() if r.name != "kernel_mask"})
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)
    for name, values in weights[0].items():
        np.testing.assert_allclose(weights[1][name], values, rtol=1e-4, atol=1e-6, err_msg=name)


def test_masks_pass_as_they_do_outside():
    embedding = keras.layers.Embedding(7, 3, mask_zero=True)
    layer = Parametrized(embedding, embeddings=WeightNorm())
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    recurrent = Parametrized(keras.layers.LSTM(4), kernel=ONES)
    outputs = array(recurrent(layer(ids)))
    np.testing.assert_allclose(outputs, array(recurrent.layer(embedding(ids))), atol=1e-6)
    np.testing.assert_array_equal(array(layer.compute_mask(ids)), ids != 0)


@pytest.mark.every_backend
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_weights_are_computed_in_their_own_type_and_used_in_the_policys(policy):
    with backends.double_precision():
        layer = Parametrized(keras.layers.Dense(3, dtype=policy), kernel=[WeightNorm(), SpectralNorm()])
        outputs = layer(numbers(2, 4))
        assert keras.backend.standardize_dtype(outputs.dtype) == layer.layer.compute_dtype == layer.compute_dtype
        assert keras.backend.standardize_dtype(layer.computed[0].value(training=False).dtype) == layer.variable_dtype
        assert {weight.dtype for weight in layer.weights} == {layer.variable_dtype}


def test_several_weights_and_several_steps_are_computed_in_their_order():
    mask = np.array([[1, 0], [0, 1], [1, 1]])
    layer = Parametrized(keras.layers.Dense(2), kernel=[WeightNorm(), Mask(mask)])
    layer.build((None, 3))
    v = array(layer.layer.kernel.value)
    np.testing.assert_allclose(computed(layer), v * mask, rtol=1e-5)
    nested = Parametrized(layer, kernel=Mask(np.array([[1], [0], [1]])))
    nested.build((None, 3))
    masked = v * [[1], [0], [1]]
    wanted = masked / np.linalg.norm(masked, axis=0) * np.linalg.norm(v, axis=0) * mask
    np.testing.assert_allclose(array(nested(np.eye(3, dtype="float32"))), wanted, rtol=1e-5)


MASK = Mask(np.array([[1, 0], [0, 1], [1, 1]]))
STACKS = {
    "mask, norm": [MASK, WeightNorm()],
    "mask, dora": [MASK, LowRank(1, magnitude=True)],
    "mask, norm, dora": [MASK, WeightNorm(), LowRank(1, magnitude=True)],
    "low rank, norm": [LowRank(1), WeightNorm()],
    "norm, spectral": [WeightNorm(), SpectralNorm()],
    "mask, spectral": [MASK, SpectralNorm()],
}


@pytest.mark.parametrize("steps", STACKS.values(), ids=STACKS)
def test_what_a_later_step_adds_begins_from_what_the_earlier_ones_compute(steps):
    layer = Parametrized(keras.layers.Dense(2), kernel=steps)
    layer.build((None, 3))
    for _ in range(2):
        wanted = array(layer.layer.kernel.value)
        wanted = wanted * MASK.mask if MASK in steps else wanted
        if isinstance(steps[-1], SpectralNorm):
            wanted = wanted / np.linalg.norm(wanted, 2)
        np.testing.assert_allclose(computed(layer), wanted, rtol=1e-4, atol=1e-6)
        layer.layer.kernel.assign(numbers(3, 2, seed=5))
        layer.reinitialize()


INSIDE = {
    "time_distributed": (lambda: keras.layers.TimeDistributed(keras.layers.Dense(3)), (2, 4, 5)),
    "bidirectional": (lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)), (2, 4, 5)),
    "separable": (lambda: keras.layers.SeparableConv2D(3, 3), (2, 5, 5, 2)),
    "conv1d": (lambda: keras.layers.Conv1D(3, 2), (2, 5, 2)),
    "conv3d": (lambda: keras.layers.Conv3D(3, 2), (2, 3, 3, 3, 2)),
    "transposed": (lambda: keras.layers.Conv2DTranspose(3, 2), (2, 3, 3, 2)),
}


@pytest.mark.parametrize("case", INSIDE.values(), ids=INSIDE)
def test_every_kind_of_layer_can_be_inside_and_begins_as_it_was(case):
    make, shape = case
    plain, x = make(), numbers(*shape)
    before = array(plain(x))
    layer = Parametrized(plain, {"**": WeightNorm()})
    np.testing.assert_allclose(array(layer(x)), before, atol=1e-5)
    assert len(layer.computed) >= 1


def test_the_projections_of_attention_can_be_wrapped_from_outside():
    layer = LoRA(keras.layers.MultiHeadAttention(2, 3), 2, where="*query/kernel")
    query, value = numbers(2, 3, 4), numbers(2, 5, 4, seed=1)
    np.testing.assert_allclose(array(layer(query, value)), array(layer.layer(query, value)), atol=1e-6)
    assert [w.name for w in layer.trainable_weights if w.name.startswith("lora")] == ["lora_kernel_a", "lora_kernel_b"]


@pytest.mark.every_backend
@pytest.mark.parametrize("how", ["call", "predict"])
def test_the_state_of_a_recurrent_layer_is_carried_and_reset_as_it_is_outside(how):
    """On JAX Keras' own ``predict`` forgets it, and so does the wrapped one."""
    x, inputs = numbers(2, 4, 5), keras.Input(batch_shape=(2, 4, 5))
    plain, inside = (keras.layers.LSTM(3, stateful=True) for _ in range(2))
    layer = Parametrized(inside, kernel=ONES)
    outputs = []
    for one in (plain, layer):
        model = keras.Model(inputs, one(inputs))
        getattr(one, "layer", one).set_weights(plain.get_weights())
        run = (lambda m: m.predict(x, verbose=0)) if how == "predict" else (lambda m: array(m(x)))
        outputs.append([run(model) for _ in range(3)])
        one.reset_state()
        outputs[-1].append(run(model))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-4, atol=1e-6)
    assert how == "predict" or np.abs(outputs[1][1] - outputs[1][0]).max() > 1e-3


def test_a_wrapper_can_be_inside_another_wrapper_of_keras():
    layer = keras.layers.TimeDistributed(LoRA(keras.layers.Dense(3), 1))
    assert tuple(layer(numbers(2, 4, 5)).shape) == (2, 4, 3)


def dense_in_a_model():
    layer = keras.layers.Dense(3, name="used")
    keras.Sequential([keras.Input((2,)), layer])
    return layer


def quantized():
    layer = keras.layers.Dense(3, name="small")
    layer.build((None, 4))
    layer.quantize("int8")
    return layer


REFUSED = {
    "no layer": (lambda: Parametrized(3, kernel=ONES), "layer must be a Keras layer, got 3"),
    "no parametrization": (
        lambda: Parametrized(keras.layers.Dense(3), kernel=3),
        "kernel must be a Parametrization, got 3",
    ),
    "nothing": (lambda: Parametrized(keras.layers.Dense(3)), "must be given a weight"),
    "empty": (lambda: Parametrized(keras.layers.Dense(3), kernel=[]), r"kernel must not be empty, got \[\]"),
    "shared": (lambda: Parametrized(dense_in_a_model(), kernel=ONES), "'used' must not be part of a model"),
    "quantized": (lambda: Parametrized(quantized(), kernel=ONES), "'small' must not be quantized"),
    "no such weight": (
        lambda: Parametrized(keras.layers.Dense(3), gamma=ONES).build((None, 2)),
        r"no weight 'gamma', only kernel \(2, 3\), bias \(3,\) — Mask applies to kernel \(2, 3\)",
    ),
    "bias": (
        lambda: Parametrized(keras.layers.Dense(3), bias=ONES).build((None, 2)),
        r"no weight in 'bias' that Mask applies to, only bias \(3,\) — Mask applies to kernel \(2, 3\)",
    ),
    "no weights": (lambda: LoRA(keras.layers.ReLU(), 2)(numbers(1, 2)), "ReLU '.*' has no weights — select a layer"),
    "only vectors": (
        lambda: LoRA(keras.layers.LayerNormalization(), 2)(numbers(1, 2)),
        r"only gamma \(2,\), beta \(2,\) — choose another layer or parametrization",
    ),
    "targets": (
        lambda: Parametrized(keras.layers.Dense(3), kernel=ONES, targets={"kernel": {}}).build((None, 2)),
        r"targets must have the selections \['name:kernel'\], got \['kernel'\]",
    ),
    "addresses": (
        lambda: Parametrized(keras.layers.Dense(3), {"*": ONES}, targets={"*": {"x": "x"}}).build((None, 2)),
        "must have the weight 'x' once it is built, and has vars/0, vars/1",
    ),
    "unbuilt": (lambda: LoRA(keras.layers.Dense(3), 2).merge(), "must be built, and is not"),
    "twice": (
        lambda: Parametrized(keras.layers.Dense(3), {"kernel": ONES, "*": ONES}).build((None, 2)),
        "kernel must be selected once, got 'kernel' and",
    ),
    "bidirectional": (
        lambda: keras.layers.Bidirectional(LoRA(keras.layers.LSTM(3), 2)),
        "Bidirectional cannot reverse a wrapped layer",
    ),
    "no factors": (lambda: built(ONES).merge(), "only LowRank can be merged"),
}


def built(parametrization):
    layer = Parametrized(keras.layers.Dense(3), kernel=parametrization)
    layer.build((None, 2))
    return layer


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_refused_in_words(case):
    act, problem = case
    with pytest.raises(RequestError, match=problem):
        act()


def test_a_layer_is_in_one_wrapper_alone_unless_that_is_gone():
    dense = keras.layers.Dense(3, name="mine")
    first = Parametrized(dense, kernel=ONES)
    for make in (lambda: dense, lambda: keras.layers.TimeDistributed(dense)):
        with pytest.raises(RequestError, match="'mine' is inside another Parametrized"):
            Parametrized(make(), {"**/kernel": ONES})
    Parametrized(first, kernel=ONES)
    given_up = [Parametrized(keras.layers.Dense(3), kernel=ONES)]
    dense = given_up[0].layer
    given_up.clear()
    assert Parametrized(dense, kernel=ONES).layer is dense


@pytest.mark.every_backend
def test_a_layer_that_is_quantized_later_is_refused_when_it_is_called():
    layer = built(ONES)
    layer.layer.quantize("int8")
    with pytest.raises(RequestError, match="must not be quantized"):
        layer(numbers(1, 2))


@pytest.mark.every_backend
def test_a_rematerialized_layer_is_refused_where_it_cannot_work():
    with keras.RematScope(mode="full"):
        layer = keras.layers.Dense(3)
    if keras.backend.backend() == "tensorflow":
        with pytest.raises(RequestError, match="RematScope"):
            Parametrized(layer, kernel=ONES)
    else:
        assert tuple(Parametrized(layer, kernel=ONES)(numbers(1, 2)).shape) == (1, 3)


def test_somebody_elses_parametrization_is_one_class():
    class Doubled(Parametrization):
        def compute(self, base, added, weight, *, training):
            return 2 * base

    layer = built(Doubled())
    np.testing.assert_allclose(computed(layer), 2 * array(layer.layer.kernel.value))

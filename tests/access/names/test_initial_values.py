"""Initializers by class and configuration; end_to_end/reinit_check.py compares with Keras itself."""

from __future__ import annotations

import pytest

from weightkit.access.configured import Configured
from weightkit.access.names.class_table import table
from weightkit.access.names.initial_values import Forget, initial_of
from weightkit.access.ref import Kind

HE = {"class_name": "HeNormal", "config": {"seed": None}}


def said(layer_class, name, config=None, **how):
    found = initial_of(Configured(layer_class, config or {}, **how), name)
    return None if found is None else found.spec


def test_the_configuration_has_the_word():
    assert said("Dense", "kernel", {"kernel_initializer": HE}) == HE
    assert said("BatchNormalization", "moving_variance", {"moving_variance_initializer": "zeros"}) == "zeros"
    assert said("SeparableConv2D", "pointwise_kernel", {"pointwise_initializer": HE}) == HE


@pytest.mark.parametrize(
    ("layer_class", "name", "default"),
    [
        ("Dense", "kernel", "glorot_uniform"),
        ("Dense", "bias", "zeros"),
        ("Embedding", "embeddings", "random_uniform"),
        ("LSTM", "recurrent_kernel", "orthogonal"),  # as Keras 2 writes it, without the cell
        ("LSTMCell", "recurrent_kernel", "orthogonal"),
        ("ConvLSTM2D", "recurrent_kernel", "orthogonal"),
        ("BatchNormalization", "gamma", "ones"),
        ("BatchNormalization", "moving_mean", "zeros"),
        ("BatchNormalization", "moving_variance", "ones"),
        ("LayerNormalization", "gamma", "ones"),
        ("PReLU", "alpha", "zeros"),
        ("Attention", "scale", "ones"),
        ("AdditiveAttention", "scale", "glorot_uniform"),
        ("Normalization", "variance", "ones"),
        ("DepthwiseConv2D", "kernel", "glorot_uniform"),
        ("DepthwiseConv2D", "depthwise_kernel", "glorot_uniform"),  # of Keras 2
        ("Convolution2D", "kernel", "glorot_uniform"),  # another name of the class
        ("LocallyConnected1D", "kernel", "glorot_uniform"),
        ("CuDNNGRU", "recurrent_kernel", "orthogonal"),
        ("Dense", "kernel_1", "glorot_uniform"),  # TensorFlow's second of the name
        ("Dense", "lora_kernel_a", "he_uniform"),
        ("Dense", "lora_kernel_b", "zeros"),
    ],
)
def test_where_it_says_nothing_the_class_does(layer_class, name, default):
    assert said(layer_class, name) == default


def test_no_initializer_at_all_is_keras_own_choice():
    assert said("Embedding", "embeddings", {"embeddings_initializer": None}) == "glorot_uniform"


@pytest.mark.parametrize(
    ("layer_class", "name"),
    [("Mine", "bias"), ("Dense", "gain"), ("SpectralNormalization", "kernel"), ("RandomFourierFeatures", "bias")],
)
def test_what_nobody_says_is_unknown(layer_class, name):
    assert said(layer_class, name, {"kernel_initializer": HE}) is None


def test_a_custom_class_has_the_initializers_that_its_configuration_names_after_its_weights_and_no_defaults():
    config = {"kernel_initializer": HE, "w2_initializer": "ones", "w_initializer": "zeros", "b_initializer": None}
    for layer_class, how in (("Mine", {}), ("Dense", {"builtin": False})):
        assert said(layer_class, "kernel", config, **how) == HE
        assert said(layer_class, "w2", config, **how) == "ones"
        assert [said(layer_class, name, config, **how) for name in ("w_2", "bias", "b")] == [None] * 3


def test_a_subclass_of_a_recurrent_layer_opens_its_forget_gate_too():
    config = {"bias_initializer": "zeros", "unit_forget_bias": True}
    assert initial_of(Configured("MyCell", config, builtin=False), "bias").forget == Forget("ones", 1, 4)
    closed = config | {"unit_forget_bias": False}
    assert initial_of(Configured("MyCell", closed, builtin=False), "bias").forget is None


def test_a_subclass_of_an_einsum_has_its_axes():
    config = {"kernel_initializer": HE, "equation": "abc,cde->abde"}
    assert initial_of(Configured("MyEinsum", config, builtin=False), "kernel").axes == ((0,), (1, 2))


@pytest.mark.parametrize(("noise", "limit", "sigma"), [("factorized", 0.1, 0.05), ("independent", 3**0.5 / 10, 0.5)])
def test_noisy_dense_begins_by_the_number_of_its_inputs(noise, limit, sigma):
    config = {"noise": noise, "sigma": 0.5, "kernel_initializer": None, "bias_initializer": "ones"}
    noisy = Configured("NoisyDense", config, builtin=False, package="weightkit")
    drawn = initial_of(noisy, "kernel", inputs=100).spec
    assert drawn["class_name"] == "RandomUniform"
    assert drawn["config"] == {"minval": pytest.approx(-limit), "maxval": pytest.approx(limit)}
    spread = initial_of(noisy, "bias_sigma", inputs=100).spec
    assert spread == {"class_name": "Constant", "config": {"value": pytest.approx(sigma)}}
    assert initial_of(noisy, "bias", inputs=100).spec == "ones"
    assert initial_of(noisy, "kernel") is None
    other = Configured("NoisyDense", config, builtin=False, package="mine")
    assert initial_of(other, "kernel", inputs=100) is None


@pytest.mark.parametrize("layer_class", ["LSTM", "LSTMCell", "ConvLSTM2D", "ConvLSTMCell"])
def test_a_forget_gate_begins_open_unless_the_configuration_closes_it(layer_class):
    opened = initial_of(Configured(layer_class, {"unit_forget_bias": True}), "bias")
    unsaid = initial_of(Configured(layer_class, {}), "bias")
    closed = initial_of(Configured(layer_class, {"unit_forget_bias": False}), "bias")
    assert opened.forget == unsaid.forget == Forget("ones", 1, 4)
    assert closed.forget is None
    assert initial_of(Configured(layer_class, {}), "kernel").forget is None


def test_cudnn_opens_the_gate_of_its_second_bias():
    assert initial_of(Configured("CuDNNLSTM", {}), "bias").forget == Forget("ones", 5, 8)
    assert initial_of(Configured("CuDNNGRU", {}), "bias").forget is None


@pytest.mark.parametrize(
    ("equation", "axes"),
    [
        ("abc,cde->abde", ((0,), (1, 2))),
        ("abcd,cde->abe", ((0, 1), (2,))),
        ("...x,xy->...y", ((0,), (1,))),
        ("ab...,bc->ac...", ((0,), (1,))),
        ("abc,cd->abd", ((0,), (1,))),
        ("nonsense", None),
    ],
)
def test_an_einsum_tells_its_kernels_axes(equation, axes):
    assert initial_of(Configured("EinsumDense", {"equation": equation}), "kernel").axes == axes
    assert initial_of(Configured("EinsumDense", {"equation": equation}), "bias").axes is None


def test_attentions_projections_are_told_apart_by_name():
    attention = Configured("EinsumDense", {"num_heads": 2})
    assert initial_of(attention, "kernel", "attention/query").axes == ((0,), (1, 2))
    assert initial_of(attention, "kernel", "attention/attention_output").axes == ((0, 1), (2,))


def test_every_parameter_and_statistic_of_keras_own_classes_has_a_beginning_but_for_copies_and_counts():
    without = set()
    for name, layer_class in table().classes.items():
        for case in layer_class.cases:
            for weight in case.weights:
                wanted = weight.kind in (Kind.PARAMETER, Kind.STATISTIC) and not weight.integer
                if wanted and case.when.get("quantization") is None and weight.name not in layer_class.initial:
                    without.add((name, weight.name))
    # SpectralNormalization's are copies of what it wraps.
    assert {name for name, _ in without} == {"SpectralNormalization"}


@pytest.mark.parametrize(
    ("layer_class", "name", "config", "expected"),
    [
        ("Dense", "W", {"init": "he_normal"}, "he_normal"),
        ("Dense", "W", {}, "glorot_uniform"),
        ("Dense", "b", {"init": "he_normal"}, "zero"),
        ("Embedding", "W", {}, "uniform"),
        ("LSTM", "W_i", {"init": "normal"}, "normal"),
        ("LSTM", "U_i", {"inner_init": "identity"}, "identity"),
        ("LSTM", "U", {}, "orthogonal"),
        ("LSTM", "b_i", {}, "zero"),
        ("LSTM", "b_f", {}, "one"),
        ("LSTM", "b_f", {"forget_bias_init": "zero"}, "zero"),
        ("GRU", "b_h", {}, "zero"),
        ("BatchNormalization", "running_std", {}, "one"),
        ("BatchNormalization", "gamma", {"gamma_init": "uniform"}, "uniform"),
        ("PReLU", "alphas", {}, "zero"),
        ("Highway", "b_carry", {}, "one"),
        ("SReLU", "a_left", {}, "glorot_uniform"),
        ("ParametricSoftplus", "betas", {"beta_init": 3.0}, {"class_name": "Constant", "config": {"value": 3.0}}),
        ("Mine", "W", {"init": "normal"}, None),
        ("Dense", "gain", {}, None),
    ],
)
def test_keras_1_is_read_by_its_own_keys(layer_class, name, config, expected):
    assert said(layer_class, name, config, keras_1=True) == expected


def test_keras_1s_joined_lstm_bias_has_its_forget_gate_in_the_second_quarter():
    joined = initial_of(Configured("LSTM", {"forget_bias_init": "uniform"}, keras_1=True), "b")
    assert (joined.spec, joined.forget) == ("zero", Forget("uniform", 1, 4))


def test_keras_1_tells_the_ordering_of_dimensions_to_convolutions_over_space_alone():
    config = {"dim_ordering": "tf"}
    ordered = initial_of(Configured("Convolution2D", config, keras_1=True), "W")
    plain = initial_of(Configured("Convolution1D", config, keras_1=True), "W")
    assert (ordered.channels_first, plain.channels_first) == (False, True)

"""What the weights of a layer need to come from a layer of another era, held against arrays that tell their parts."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from loading_layers import converted, weights
from support import DATA

from weightkit import Kind, open_weights
from weightkit.errors import RequestError
from weightkit.transforms.loading import LayerFacts, conversions, facts_of

LSTM = {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
GRU = {"kernel": (2, 9), "recurrent_kernel": (3, 9), "bias": (2, 9)}
THEANO = LayerFacts(keras_version="2.0.8", backend="theano")
TENSORFLOW = LayerFacts(keras_version="2.2.4", backend="tensorflow")


def numbered(*shape):
    return np.arange(np.prod(shape), dtype="f4").reshape(shape)


def gates(order, shapes):
    """Arrays of Keras 1 whose every value is the place of its gate in a joined kernel."""
    places = {"i": 0, "f": 1, "c": 2, "o": 3, "z": 0, "r": 1, "h": 2}
    return {f"{w}_{gate}": np.full(shape, places[gate], "f4") for gate in order for w, shape in shapes.items()}


def test_a_layer_of_the_same_names_and_shapes_needs_nothing():
    arrays = {name: np.ones(shape, "f4") for name, shape in LSTM.items()}
    assert converted(weights("lstm", LSTM), arrays) == ({}, {}, ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("W", "kernel"),
        ("W", "embeddings"),
        ("U", "recurrent_kernel"),
        ("b", "bias"),
        ("alphas", "alpha"),
        ("running_mean", "moving_mean"),
        ("running_std", "moving_variance"),
        ("depthwise_kernel", "kernel"),
    ],
)
def test_each_name_of_keras_1_is_known(old, new):
    values, steps, _ = converted(weights("d", {new: (2, 3)}), {old: numbered(2, 3)})
    assert values[new].tolist() == numbered(2, 3).tolist()
    assert steps[new].startswith(f"named {old} in the source")


def test_a_running_std_is_taken_as_it_is_and_said_to_be_a_variance():
    ours = weights("bn", {"moving_variance": (3,)})
    values, steps, _ = converted(ours, {"running_std": np.float32([1, 4, 9])})
    assert values["moving_variance"].tolist() == [1, 4, 9]
    assert "variance" in steps["moving_variance"]


def test_a_separable_convolution_keeps_both_its_kernels_apart():
    shapes = {"depthwise_kernel": (3, 3, 2, 1), "pointwise_kernel": (1, 1, 2, 4), "bias": (4,)}
    old = {"depthwise_kernel": numbered(3, 3, 2, 1), "pointwise_kernel": numbered(1, 1, 2, 4), "b": numbered(4)}
    source = LayerFacts("SeparableConvolution2D", {"dim_ordering": "tf"}, "1.2.2", "tensorflow")
    values, _, _ = converted(weights("s", shapes), old, source=source)
    assert values.keys() == {"bias"}
    first = {name: array.transpose(3, 2, 0, 1) if array.ndim > 1 else array for name, array in old.items()}
    source = LayerFacts("SeparableConvolution2D", {"dim_ordering": "th"}, "1.2.2", "tensorflow")
    values, _, _ = converted(weights("s", shapes), first, source=source)
    assert [values[name].tolist() for name in shapes] == [old[name].tolist() for name in (*list(shapes)[:2], "b")]


@pytest.mark.parametrize("order", ["icfo", "ifco", "ocfi"])
def test_gates_are_joined_in_the_order_of_keras_2_in_whatever_order_they_are_listed(order):
    values, steps, _ = converted(weights("lstm", LSTM), gates(order, {"W": (2, 3), "U": (3, 3), "b": (3,)}))
    for name in LSTM:
        assert values[name][..., ::3].reshape(-1, 4).tolist() == [[0, 1, 2, 3]] * (
            LSTM[name][0] if name != "bias" else 1
        )
        assert "gates i, f, c, o" in steps[name]


def test_a_missing_gate_is_refused():
    arrays = gates("ifc", {"W": (2, 3), "U": (3, 3), "b": (3,)})
    with pytest.raises(RequestError, match=r"must have all of its gates .* got W_c, W_f, W_i"):
        converted(weights("lstm", LSTM), arrays)


def test_gates_of_several_shapes_are_refused():
    arrays = gates("ifco", {"W": (2, 3)}) | {"W_o": np.ones((2, 4), "f4")}
    with pytest.raises(RequestError, match="one shape"):
        converted(weights("lstm", LSTM), arrays)


def test_a_gru_that_resets_before_cannot_fill_one_that_resets_after():
    arrays = gates("zrh", {"W": (2, 3), "U": (3, 3), "b": (3,)})
    with pytest.raises(
        RequestError, match=r"GRU\(reset_after=False\) cannot be those of GRU\(reset_after=True\)"
    ) as error:
        converted(weights("gru", GRU), arrays)
    assert error.value.hint == "make the target with reset_after=False"


def test_two_grus_without_biases_are_told_apart_by_their_configurations_alone():
    shapes = {name: GRU[name] for name in ("kernel", "recurrent_kernel")}
    arrays = {name: np.ones(shape, "f4") for name, shape in shapes.items()}
    source = LayerFacts("GRU", {"units": 3, "use_bias": False}, "2.1.6")  # no version before 2.2 resets after
    target = LayerFacts("GRUCell", {"reset_after": True}, "3.15.1")
    with pytest.raises(RequestError, match="another function"):
        converted(weights("gru", shapes), arrays, source=source, target=target)
    target = LayerFacts("GRUCell", {"reset_after": False}, "3.15.1")
    assert converted(weights("gru", shapes), arrays, source=source, target=target)[0] == {}
    assert converted(weights("gru", shapes), arrays)[0] == {}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({**GRU, "bias": (9,)}, {**GRU, "bias": (18,)}),  # reset_after=False from CuDNNGRU
        ({**GRU, "bias": (18,)}, {**GRU, "bias": (9,)}),
        (GRU, {**GRU, "bias": (9,)}),
        (LSTM, GRU),
    ],
)
def test_forms_of_other_functions_are_refused(ours, theirs):
    with pytest.raises(RequestError, match="which is another function"):
        converted(weights("r", ours), {name: np.ones(shape, "f4") for name, shape in theirs.items()})


def test_an_lstm_without_bias_cannot_become_a_cudnn_lstm():
    ours = weights("r", {**LSTM, "bias": (24,)})
    with pytest.raises(RequestError, match="CuDNNLSTM has biases"):
        converted(ours, {name: np.ones(LSTM[name], "f4") for name in ("kernel", "recurrent_kernel")})


def test_a_layer_of_another_class_with_such_shapes_is_left_alone():
    ours, arrays = weights("r", LSTM), {name: np.ones(shape, "f4") for name, shape in LSTM.items()}
    arrays["bias"] = np.ones(24, "f4")
    custom = LayerFacts("MyCell", {}, "2.2.4", "tensorflow")
    assert converted(ours, arrays, source=custom, target=custom)[0] == {}


@pytest.mark.parametrize(("first", "version"), [(True, "2.0.8"), (False, "2.2.4")])
def test_a_kernel_is_mirrored_where_one_side_alone_is_theanos(first, version):
    kernel = numbered(3, 2, 2, 4)
    one, other = LayerFacts("Conv2D", {}, version, "theano"), LayerFacts("Conv2D", {}, version, "tensorflow")
    source, target = (one, other) if first else (other, one)
    values, steps, _ = converted(
        weights("c", {"kernel": kernel.shape}), {"kernel": kernel}, source=source, target=target
    )
    assert values["kernel"].tolist() == kernel[::-1, ::-1].tolist()
    assert steps["kernel"] == "Theano's kernel mirrored"
    assert converted(weights("c", {"kernel": kernel.shape}), {"kernel": kernel}, source=one, target=one)[0] == {}


@pytest.mark.parametrize("class_name", ["Dense", "LocallyConnected1D", "DepthwiseConv2D", "SeparableConv2D", "MyLayer"])
def test_no_other_kernels_are_mirrored(class_name):
    shape = (3, 3, 2, 1) if "Conv" in class_name else (3, 2, 4)
    source = LayerFacts(class_name, {}, "2.2.4", "theano")
    assert converted(weights("c", {"kernel": shape}), {"kernel": numbered(*shape)}, source=source)[0] == {}


@pytest.mark.parametrize(
    ("version", "names", "noted"),
    [("2.0.8", "kernel", True), (None, "W", True), ("2.4.0", "kernel", False), (None, "kernel", False)],
)
def test_an_unknown_backend_is_said_where_a_kernel_may_be_theanos(version, names, noted):
    kernel = numbered(3, 3, 2, 4)
    source = LayerFacts("Conv2D", {"dim_ordering": "tf"}, version)
    values, _, notes = converted(weights("c", {"kernel": kernel.shape}), {names: kernel}, source=source)
    assert all(array.tolist() == kernel.tolist() for array in values.values())
    assert [("backend='theano'" in note) for note in notes] == [True] * noted


def test_names_that_tensorflow_numbered_tell_its_backend():
    ours = weights("c", {"kernel": (3, 3, 2, 4)})
    source = LayerFacts("Convolution2D", {"dim_ordering": "tf"})
    assert converted(ours, {"W": numbered(3, 3, 2, 4)}, ending=":0", source=source)[2] == ()
    source = LayerFacts("Convolution2D", {"dim_ordering": "tf"}, backend="theano")
    values, _, _ = converted(ours, {"W": numbered(3, 3, 2, 4)}, ending=":0", source=source)
    assert values["kernel"].tolist() == numbered(3, 3, 2, 4)[::-1, ::-1].tolist()


def test_a_kernel_of_three_axes_of_an_unknown_class_is_not_mirrored_by_guess():
    with pytest.raises(RequestError, match="nothing says which"):
        converted(weights("c", {"kernel": (3, 2, 4)}), {"kernel": numbered(3, 2, 4)}, source=THEANO)
    values, _, _ = converted(weights("c", {"kernel": (3, 3, 2, 4)}), {"kernel": numbered(3, 3, 2, 4)}, source=THEANO)
    assert values["kernel"].tolist() == numbered(3, 3, 2, 4)[::-1, ::-1].tolist()


def test_a_format_that_no_keras_with_theano_wrote_is_not_asked_for_its_backend():
    ours = weights("c", {"kernel": (3, 3, 2, 4)}, layer_class="Conv2D")
    theirs = weights("layers/c/vars", {"kernel": (3, 3, 2, 4)})
    assert conversions(ours, theirs, source=LayerFacts(keras_version=None)).notes == ()


def test_padding_that_theano_does_otherwise_is_said():
    kernel = numbered(3, 3, 2, 4)
    for config, noted in (
        ({"padding": "same", "kernel_size": [3, 3], "strides": [2, 2]}, True),
        ({"border_mode": "same", "nb_row": 4, "nb_col": 3}, True),
        ({"padding": "same", "kernel_size": [3, 3], "strides": [1, 1]}, False),
        ({"padding": "valid", "kernel_size": [4, 4], "strides": [2, 2]}, False),
    ):
        source = LayerFacts("Conv2D", config, "2.2.4", "theano")
        _, _, notes = converted(weights("c", {"kernel": kernel.shape}), {"kernel": kernel}, source=source)
        assert [("pads" in note) for note in notes] == [True] * noted


def test_a_layer_is_converted_from_a_golden_file_of_keras_1():
    with open_weights(DATA / "keras1_layers.h5") as store:
        theirs = [ref for ref in store if ref.layer == "lstm_1"]
        ours = weights("lstm_9", {"kernel": (2, 8), "recurrent_kernel": (2, 8), "bias": (8,)}, layer_class="LSTMCell")
        source = facts_of(store, theirs)
        assert (source.class_name, source.keras_version, source.backend) == ("LSTM", "1.2.2", None)
        made = conversions(ours, theirs, source=source).of
        values = {ref.name: one(*map(store.read, one.sources)) for ref, one in made.items()}
    with h5py.File(DATA / "keras1_layers.h5") as file:
        group = file["model_weights/lstm_1"]
        for name, w in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
            wanted = np.concatenate([group[f"lstm_1_{w}_{gate}:0"][()] for gate in "ifco"], axis=-1)
            assert values[name].tobytes() == wanted.tobytes()


def test_both_directions_of_a_bidirectional_are_told_apart():
    shapes = {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    ours = weights("b/forward_lstm/lstm_cell", shapes) + weights("b/backward_lstm/lstm_cell", shapes)
    sizes = {"W": (2, 3), "U": (3, 3), "b": (3,)}
    theirs = weights("b/backward_lstm_1", {f"{w}_{g}": s for g in "icfo" for w, s in sizes.items()})
    theirs += weights("b/forward_lstm_1", {f"{w}_{g}": s for g in "icfo" for w, s in sizes.items()})
    made = conversions(ours, theirs).of
    assert made.keys() == {*ours}
    for ref, one in made.items():
        way = "forward" if "forward" in ref.path else "backward"
        assert all(way in own.path for own in one.sources)


def test_layers_inside_that_have_other_names_are_not_paired_by_their_order():
    ours = weights("mha/query", {"kernel": (2, 2)}) + weights("mha/key", {"kernel": (2, 2)})
    theirs = weights("mha/q", {"kernel": (2, 2)}) + weights("mha/k", {"kernel": (2, 2)})
    with pytest.raises(RequestError, match="the layers in it are key, query in the target and k, q in the source"):
        conversions(ours, theirs)


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_quantized_layer_and_a_plain_one_are_refused(which):
    plain, quantized = (weights("d", {"kernel": (2, 2)}, kind=kind) for kind in (Kind.PARAMETER, Kind.QUANTIZATION))
    with pytest.raises(RequestError, match=f"the {which}'s layer is quantized"):
        conversions(*((plain, quantized) if which == "source" else (quantized, plain)))


def test_later_weights_do_not_go_into_a_file_of_keras_1():
    with pytest.raises(RequestError, match="cannot be put into a file of Keras 1"):
        conversions(weights("d", {"W": (2, 2)}), weights("d", {"kernel": (2, 2)}))


@pytest.mark.parametrize("class_name", ["Convolution2D", "Deconvolution2D", "Convolution3D"])
def test_files_of_keras_1_differ_in_ordering_and_backend_alone(class_name):
    shape = (5, 4, 3, 2, 2)[: 5 if class_name.endswith("3D") else 4]
    kernel = numbered(*shape)
    spatial = tuple(range(2, kernel.ndim))
    wanted = np.flip(kernel, spatial)
    source = LayerFacts(class_name, {"dim_ordering": "th"}, "1.2.2", "theano")
    for ordering, expected in (("th", wanted), ("tf", wanted.transpose(*spatial, 1, 0))):
        target = LayerFacts(class_name, {"dim_ordering": ordering}, "1.2.2", "tensorflow")
        ours = weights("c", {"W": expected.shape, "b": (5,)})
        values, _, _ = converted(ours, {"W": kernel, "b": numbered(5)}, source=source, target=target)
        assert values.keys() == {"W"}
        assert values["W"].tolist() == expected.tolist()


def test_a_convolution_over_time_of_keras_1_stays_one_in_another_file_of_keras_1():
    source = LayerFacts("Convolution1D", {}, "1.2.2", "theano")
    target = LayerFacts("Convolution1D", {}, "1.2.2", "tensorflow")
    kernel = numbered(3, 1, 2, 4)
    values, _, _ = converted(weights("c", {"W": kernel.shape}), {"W": kernel}, source=source, target=target)
    assert values["W"].tolist() == kernel[::-1].tolist()


@pytest.mark.parametrize("version", ["3.15.1", "2.15.0"])
def test_a_users_own_layer_with_such_names_is_copied_as_it_is(version):
    arrays = {"W": numbered(2, 2), "W_h": numbered(3, 3), "U_h": numbered(3, 3), "b": numbered(2)}
    own = LayerFacts("Attention", {}, version, "tensorflow")
    ours = weights("a", {name: array.shape for name, array in arrays.items()})
    assert converted(ours, arrays, source=own, target=LayerFacts("Attention", {}, "3.15.1")) == ({}, {}, ())
    assert converted(ours, arrays, source=LayerFacts(), target=LayerFacts("Attention", {}, "3.15.1"))[0] == {}

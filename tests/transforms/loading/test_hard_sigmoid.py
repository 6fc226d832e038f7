"""Gates of hard_sigmoid, which Keras 3 computes otherwise: said, or made exact by a factor."""

from __future__ import annotations

import numpy as np
import pytest
from loading_layers import converted, weights

from weightkit.transforms.loading import LayerFacts

SHAPES = {
    "LSTM": {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)},
    "GRU": {"kernel": (2, 9), "recurrent_kernel": (3, 9), "bias": (9,)},
    "ConvLSTM2D": {"kernel": (3, 3, 2, 8), "recurrent_kernel": (3, 3, 2, 8), "bias": (8,)},
}
SCALED = {"LSTM": [1.2, 1.2, 1, 1.2], "GRU": [1.2, 1.2, 1], "ConvLSTM2D": [1.2, 1.2, 1, 1.2]}


def layer(kind, activation, version):
    return LayerFacts(kind, {} if activation is None else {"recurrent_activation": activation}, version, "tensorflow")


def load(kind, source, target, how="keep"):
    arrays = {name: np.ones(shape, "f4") for name, shape in SHAPES[kind].items()}
    return converted(weights("r", SHAPES[kind]), arrays, source=source, target=target, hard_sigmoid=how)


@pytest.mark.parametrize("kind", SHAPES)
def test_gates_alone_are_multiplied_and_the_candidate_stays(kind):
    source, target = layer(kind, "hard_sigmoid", "2.1.6"), layer(kind, "hard_sigmoid", "3.15.1")
    values, steps, notes = load(kind, source, target, "rescale")
    wanted = np.repeat(np.float32(SCALED[kind]), SHAPES[kind]["bias"][-1] // len(SCALED[kind]))
    for name in SHAPES[kind]:
        assert (values[name] == wanted).all()
        assert steps[name] == "gates of hard_sigmoid times 1.2"
    assert notes == ()


def test_the_other_way_gates_are_divided():
    source, target = layer("GRU", "hard_sigmoid", "3.15.1"), layer("GRU", "hard_sigmoid", "2.1.6")
    values, _, _ = load("GRU", source, target, "rescale")
    assert np.allclose(values["bias"], np.repeat([1 / 1.2, 1 / 1.2, 1], 3))


@pytest.mark.parametrize("kind", SHAPES)
def test_gates_that_are_kept_are_said(kind):
    source, target = layer(kind, "hard_sigmoid", "2.1.6"), layer(kind, "hard_sigmoid", "3.15.1")
    values, _, notes = load(kind, source, target)
    assert values == {}
    assert len(notes) == 1
    assert "hard_sigmoid='rescale'" in notes[0]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (("hard_sigmoid", "2.1.6"), ("hard_sigmoid", "2.15.0")),
        (("hard_sigmoid", "3.5.0"), ("hard_sigmoid", "3.15.1")),
        (("sigmoid", "2.1.6"), ("sigmoid", "3.15.1")),
        ((None, "2.2.4-tf"), ("sigmoid", "3.15.1")),  # of TensorFlow 1 or 2, which have other defaults
        ((None, "2.15.0"), ("sigmoid", "3.15.1")),
        ((None, "2.1.6"), (None, "3.15.1")),
        (("hard_sigmoid", None), ("hard_sigmoid", "3.15.1")),
    ],
)
@pytest.mark.parametrize("how", ["keep", "rescale"])
def test_nothing_is_done_or_said_where_both_are_one_function_or_nothing_is_known(source, target, how):
    assert load("LSTM", layer("LSTM", *source), layer("LSTM", *target), how) == ({}, {}, ())


@pytest.mark.parametrize("how", ["keep", "rescale"])
def test_gates_of_two_activations_are_said_and_never_multiplied(how):
    source, target = layer("LSTM", "hard_sigmoid", "2.1.6"), layer("LSTM", "sigmoid", "3.15.1")
    values, _, notes = load("LSTM", source, target, how)
    assert values == {}
    assert "use sigmoid, those of the source hard_sigmoid:" in notes[0]


def test_a_default_of_old_versions_is_said_with_a_reservation():
    for version in ("1.2.2", "2.0.9", "2.3.1"):
        _, _, notes = load("LSTM", layer(None, None, version), layer("LSTM", "sigmoid", "3.15.1"))
        assert "unless its LSTM was told otherwise" in notes[0]


@pytest.mark.parametrize("said", ["hard_sigmoid", "HardSigmoid", {"class_name": "hard_sigmoid", "config": {}}])
@pytest.mark.parametrize("key", ["recurrent_activation", "inner_activation"])
def test_an_activation_is_read_in_every_form(said, key):
    source = LayerFacts("LSTM", {key: said}, "2.1.6")
    assert "rescale" in load("LSTM", source, layer("LSTM", "hard_sigmoid", "3.15.1"))[2][0]


def test_a_cudnn_layer_has_gates_of_sigmoid():
    ours = weights("r", SHAPES["LSTM"])
    arrays = {name: np.ones(shape, "f4") for name, shape in SHAPES["LSTM"].items()} | {"bias": np.ones(24, "f4")}
    for version in ("2.1.6", None):
        source = LayerFacts(None, {}, version, "tensorflow")
        _, _, notes = converted(ours, arrays, source=source, target=layer("LSTM", "hard_sigmoid", "3.15.1"))
        assert "those of the source sigmoid:" in notes[0]
        assert converted(ours, arrays, source=source, target=layer("LSTM", "sigmoid", "3.15.1"))[2] == ()


@pytest.mark.parametrize(
    ("source", "target", "noted"),
    [
        (("hard_sigmoid", "2.1.6"), ("hard_sigmoid", "3.15.1"), True),
        (("hard_sigmoid", "2.1.6"), ("hard_sigmoid", "2.15.0"), False),
        (("relu", "2.1.6"), ("relu", "3.15.1"), False),
        (("hard_sigmoid", None), ("hard_sigmoid", "3.15.1"), False),
    ],
)
def test_an_activation_of_the_outputs_is_said_too(source, target, noted):
    ours, arrays = weights("d", {"kernel": (2, 2)}), {"kernel": np.ones((2, 2), "f4")}
    facts = [LayerFacts("Dense", {"activation": name}, version) for name, version in (source, target)]
    values, _, notes = converted(ours, arrays, source=facts[0], target=facts[1])
    assert values == {}
    assert [("activation hard_sigmoid" in note) for note in notes] == [True] * noted

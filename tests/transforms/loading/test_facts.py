"""What a store knows of a layer besides its weights, and what the user adds."""

from __future__ import annotations

import pytest
from loading_layers import weights
from support import DATA

from weightkit import open_weights
from weightkit.transforms.loading import FlattenedMap, LayerFacts, facts_of


def test_facts_come_from_the_file_and_its_configuration():
    with open_weights(DATA / "tfkeras215_nested.h5") as store:
        cell = [ref for ref in store if "forward_lstm" in ref.path]
        facts = facts_of(store, cell)
    assert (facts.layer_class, facts.class_name, facts.major) == ("LSTMCell", "LSTM", 2)
    assert (facts.backend, facts.config["recurrent_activation"]) == ("tensorflow", "sigmoid")


def test_what_the_user_says_counts_more_than_the_file():
    flattened = FlattenedMap("channels_first")
    with open_weights(DATA / "tfkeras215_nested.h5") as store:
        known = {"backend": "theano", "data_format": "channels_first", "flattened": flattened}
        facts = facts_of(store, [*store][:1], **known)
    assert (facts.backend, facts.channels, facts.flattened) == ("theano", "channels_first", flattened)


def test_nothing_is_known_of_a_layer_in_a_file_of_weights_alone():
    with open_weights(DATA / "tfkeras213_three_dense.weights.h5") as store:
        facts = facts_of(store, [*store][:1])
    assert (dict(facts.config), facts.keras_version, facts.backend, facts.channels) == ({}, None, None, None)


@pytest.mark.parametrize(
    ("said", "found"), [("th", "channels_first"), ("tf", "channels_last"), ("default", None), (3, None)]
)
def test_the_layers_own_format_of_images_counts_more_than_the_models(said, found):
    assert LayerFacts(config={"dim_ordering": said}).channels == found
    assert LayerFacts(config={"dim_ordering": said}, data_format="channels_last").channels == (found or "channels_last")


@pytest.mark.parametrize(
    ("version", "backend", "mirrors"),
    [
        ("2.0.8", "theano", True),
        ("2.0.8", "cntk", False),
        ("2.3.1", None, None),
        ("2.4.0", None, False),
        ("2.2.4-tf", None, False),
        ("3.15.1", None, False),
        ("nonsense", None, None),
        (None, None, False),
    ],
)
def test_which_layers_mirror_their_kernels(version, backend, mirrors):
    facts = LayerFacts(keras_version=version, backend=backend)
    assert facts.mirrors(weights("c", {"kernel": (3, 3, 2, 4)})) is mirrors

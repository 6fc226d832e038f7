"""Names, kinds and draws of weights that Keras saves in unusual ways, held against Keras itself."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of, wrong


@pytest.fixture(scope="module")
def facts():
    # It imports Keras and builds its models once, which takes some 20 seconds.
    return facts_of("names_check.py", BACKENDS[0])


def test_the_document_frequencies_of_lookups_are_statistics_that_a_default_edit_leaves(facts):
    assert wrong(facts, "lookup ") == {}


def test_a_lookup_that_has_not_been_adapted_has_no_weights_and_stops_nothing(facts):
    assert wrong(facts, "unadapted ") == {}


def test_a_layer_that_fails_to_save_is_named(facts):
    assert wrong(facts, "failing: ") == {}


def test_a_layers_own_keys_are_its_weights_names_in_file_and_model(facts):
    assert wrong(facts, "own keys: ") == {}


def test_every_weight_of_weightkits_own_layers_begins_as_its_layer_says_in_file_and_model(facts):
    assert wrong(facts, "draws own layers") == {}


def test_what_parametrizations_add_begins_again_but_for_what_is_computed(facts):
    assert wrong(facts, "draws parametrized") == {}


def test_both_copies_of_a_spectrally_normalized_kernel_are_drawn_alike(facts):
    assert wrong(facts, "draws spectral") == {}
    assert wrong(facts, "spectral: ") == {}


def test_a_custom_layer_begins_as_its_configuration_says(facts):
    assert wrong(facts, "custom") == {}


def test_layers_of_one_name_at_two_depths_begin_again_each_by_its_own_initializer(facts):
    assert wrong(facts, "draws nested") == {}


def test_a_model_says_what_the_weights_of_a_custom_layer_in_a_legacy_file_are(facts):
    assert wrong(facts, "like: ") == {}


def test_helper_variables_of_a_quantization_in_training_are_not_quantized(facts):
    assert wrong(facts, "helpers: ") == {}

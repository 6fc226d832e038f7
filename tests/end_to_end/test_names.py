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

"""Live stores of every kind of model say what Keras' own files say, on each backend that is asked for."""

from __future__ import annotations

import pytest
from checks import BACKENDS, facts_of, wrong


@pytest.fixture(scope="module", params=BACKENDS)
def facts(request, tmp_path_factory):
    return facts_of("live_check.py", request.param, tmp_path_factory.mktemp(request.param))


def test_the_backend_is_the_one_asked_for(facts):
    assert wrong(facts, "backend is") == {}


def test_a_model_has_the_addresses_of_the_file_that_keras_saves(facts):
    assert wrong(facts, "the addresses are") == {}


def test_a_model_has_the_values_of_the_file_that_keras_saves(facts):
    assert wrong(facts, "shapes, types and values") == {}
    assert wrong(facts, "the file store reads the same") == {}


def test_names_and_kinds_are_those_that_files_tell(facts):
    assert wrong(facts, "names and kinds agree") == {}
    assert wrong(facts, "every weight has a kind") == {}


def test_weights_come_in_the_order_of_the_archive(facts):
    assert wrong(facts, "the order is") == {}


def test_every_fact_holds(facts):
    assert wrong(facts) == {}

"""Initializers, beginnings and re-initialized files, held against Keras itself."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of

CHECK = "reinit_check.py"


@pytest.fixture(scope="module")
def facts():
    return facts_of(CHECK, BACKENDS[0])


def wrong(facts, word, count):
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(word)}
    assert len(found) == count
    return [fact for fact, holds in found.items() if not holds]


def test_fans_are_keras_own(facts):
    assert wrong(facts, "fans", 9) == []


def test_draws_have_the_distributions_of_keras_own_and_constants_are_the_same(facts):
    assert wrong(facts, "draws", 91) == []


def test_every_weight_of_freshly_built_layers_begins_as_keras_begins_it(facts):
    assert wrong(facts, "beginning", 84) == []


def test_keras_loads_a_reinitialized_file_whose_weights_are_as_it_begins_them_and_the_models_own(facts):
    assert wrong(facts, "file", 73) == []

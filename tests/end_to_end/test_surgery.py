"""What Keras itself loads after strip, drop and cast, compared with what it loaded before."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of
from support import DATA

CHECK = "surgery_check.py"
LOADED_BY_KERAS_3 = ["keras315_nested.keras", "keras315_recurrent.keras", "keras315_transformer.keras"]


@pytest.fixture(scope="module")
def facts():
    return facts_of(CHECK, BACKENDS[0], *(DATA / name for name in LOADED_BY_KERAS_3))


def wrong(facts, verb, count):
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(verb)}
    assert len(found) == count
    return [fact for fact, holds in found.items() if not holds]


def test_what_is_stripped_loads_as_before_but_for_the_optimizer(facts):
    assert wrong(facts, "strip", 13) == []


def test_what_lost_a_layer_fails_to_load_as_the_plan_says_and_its_advice_loads_all_else(facts):
    assert wrong(facts, "drop", 34) == []


def test_what_is_cast_loads_rounded_where_keras_can_load_it_and_the_plan_says_where_not(facts):
    assert wrong(facts, "cast", 12) == []


def test_golden_files_load_the_same_after_a_cast_there_and_back(facts):
    assert wrong(facts, "keras315", len(LOADED_BY_KERAS_3)) == []

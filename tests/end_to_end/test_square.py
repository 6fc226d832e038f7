"""The square, a sample on the first backend or all of it on each: edit and load the file == load and edit the model."""

from __future__ import annotations

import full
import pytest
from backends import FIRST_OR_ALL, facts_of, wrong

CHECK = "square_check.py"


@pytest.fixture(scope="module", params=FIRST_OR_ALL)
def facts(request):
    return facts_of(CHECK, request.param, *(["--full"] if full.on_every_backend else []))


def test_the_backend_is_the_one_asked_for(facts):
    assert wrong(facts, "backend is") == {}


def test_to_edit_a_file_and_load_it_is_to_load_it_and_edit_the_model(facts):
    assert wrong(facts, "edit and load is load and edit") == {}


def test_a_plan_made_on_a_model_does_the_same_to_its_file(facts):
    assert wrong(facts, "the model's plan") == {}


def test_a_plan_made_on_a_file_does_the_same_to_its_model(facts):
    assert wrong(facts, "the file's plan") == {}


def test_every_transform_changes_something_in_every_kind_and_format(facts):
    assert wrong(facts, "it changes something") == {}


def test_every_fact_holds(facts):
    assert wrong(facts) == {}

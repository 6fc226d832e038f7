"""Live stores of every kind of model say what Keras' own files say, on each backend that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from backends import BACKENDS, FIRST_OR_ALL, facts_of, run_on, wrong

CHECK = "live_check.py"


@pytest.fixture(scope="module", params=FIRST_OR_ALL)
def facts(request):
    return facts_of(CHECK, request.param)


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


@pytest.mark.parametrize("backend", BACKENDS)
def test_live_stores_keep_the_contract_of_stores(backend):
    suite = str(Path(__file__).with_name("live_contract.py"))
    done = run_on(backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default", suite)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout

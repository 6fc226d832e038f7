"""Edits of models in memory on each backend: what they change, what failed ones leave, and what they must not touch."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of, wrong

CHECK = "live_edit_check.py"


@pytest.fixture(scope="module", params=BACKENDS)
def facts(request):
    return facts_of(CHECK, request.param)


def test_a_model_is_scaled_as_numpy_scales_its_parameters(facts):
    assert wrong(facts, "scale ") == {}


def test_a_transform_that_fails_on_its_last_weight_leaves_model_and_optimizer_bit_identical(facts):
    assert wrong(facts, "failure ") == {}


def test_a_large_edit_that_sets_weights_early_changes_or_leaves_the_same_bits(facts):
    assert wrong(facts, "early ") == {}


def test_an_edit_that_is_cut_short_while_variables_are_set_is_undone(facts):
    assert wrong(facts, "commit ") == {}


def test_training_goes_on_after_an_edit(facts):
    assert wrong(facts, "optimizer: ") == {}


def test_a_store_shares_no_memory_with_anybody(facts):
    assert wrong(facts, "memory: ") == {}


def test_what_makes_no_sense_for_a_model_is_refused_in_one_line(facts):
    assert wrong(facts, "refused: ") == {}


def test_a_layer_an_optimizer_and_a_list_of_variables_are_stores(facts):
    assert wrong(facts, "parts: ") == {}


def test_numbers_are_those_of_numpy(facts):
    assert wrong(facts, "numbers: ") == {}


def test_a_variable_of_two_addresses_is_changed_by_both_or_refused(facts):
    assert wrong(facts, "shared: ") == {}


def test_a_kernel_with_lora_is_set_with_the_update_merged_in(facts):
    assert wrong(facts, "low rank") == {}


def test_every_fact_holds(facts):
    assert wrong(facts) == {}

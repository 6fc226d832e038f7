"""What Keras saved, trained, built twice and renamed is compared right, on each backend that is asked for."""

from __future__ import annotations

import pytest
from backends import FIRST_OR_ALL, facts_of

CHECK = "diff_check.py"


@pytest.fixture(scope="module", params=FIRST_OR_ALL)
def facts(request):
    """The facts that one process found on one backend; a backend that is asked for and missing fails here."""
    found = facts_of(CHECK, request.param)
    assert found.pop("backend is") == request.param
    return found


def wrong(facts, word):
    """The facts about something that do not hold; there must be such facts."""
    found = {fact: holds for fact, holds in facts.items() if fact.startswith(word)}
    assert found
    return [fact for fact, holds in found.items() if not holds]


def test_the_same_model_in_two_formats_is_equal_frozen_in_part_or_not(facts):
    assert wrong(facts, "format") == []


def test_the_same_architecture_built_twice_with_the_same_weights_has_no_differences(facts):
    assert wrong(facts, "built twice") == []


def test_two_epochs_of_one_run_are_ranked_by_what_moved_and_the_optimizer_too(facts):
    assert wrong(facts, "epochs") == []


def test_a_renamed_layer_is_told_as_a_rename_and_nothing_else(facts):
    assert wrong(facts, "rename") == []

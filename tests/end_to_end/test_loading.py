"""Files of every era, loaded into the same models in Keras 3 by Keras and by us: the same bytes, or the right ones."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of, wrong
from support import DATA, ERAS, plain_datasets

NOBODY_LOADS = {"tfkeras215_subclassed.weights.h5"}
"""Some of its layers are under attributes and some under class names, and not those that Keras 3 looks for."""
SWAPPED_BY_ALL = "tfkeras213_subclassed.weights.h5"
OF_KERAS_3 = "keras35_subclassed.weights.h5"


@pytest.fixture(scope="module")
def facts():
    # It imports Keras and builds some thirty models, which takes 15 seconds.
    return facts_of("loading_check.py", BACKENDS[0], DATA)


def files(facts, start, what):
    """The files of which a fact begins in some way: ``right``, ``refused``, ``misplaced``."""
    found = {fact.removeprefix(start): holds for fact, holds in facts.items() if fact.startswith(start)}
    return {name for name, holds in found.items() if ("right" if holds is True else holds).startswith(what)}


def test_every_weight_of_every_era_is_in_its_own_layer_or_nothing_is_loaded(facts):
    names = {path.name for path in ERAS}
    assert files(facts, "ours: ", "right") == names - NOBODY_LOADS - {SWAPPED_BY_ALL}
    assert files(facts, "ours: ", "refused") == NOBODY_LOADS


def test_what_keras_loads_right_we_load_to_the_same_bytes(facts):
    right = files(facts, "keras: ", "right")
    assert len(right) > 25
    assert right <= files(facts, "ours: ", "right")


def test_what_keras_refuses_we_load_but_for_one(facts):
    refused = files(facts, "keras: ", "refused") - NOBODY_LOADS
    assert refused == {
        "keras1_recurrent.weights_only.h5",
        "keras1_sequential.weights_only.h5",
        "tfkeras213_functional.keras",
        "tfkeras213_recurrent.weights.h5",
        "tfkeras213_sequential.weights.h5",
    }
    assert refused <= files(facts, "ours: ", "right")


def test_keras_swaps_layers_in_dicts_of_older_files_without_a_word_and_we_do_not(facts):
    """Keras 2 lists them by their keys, sorted, and Keras 3 by their order."""
    swapped = files(facts, "keras: ", "misplaced")
    assert swapped == {f"tfkeras{era}_subclassed.weights_only.h5" for era in (24, 211, 215)} | {SWAPPED_BY_ALL}
    assert swapped - files(facts, "ours: ", "right") == {SWAPPED_BY_ALL}


def test_a_file_of_2_13_with_a_dict_of_layers_looks_as_one_of_keras_3_does():
    """Keras 3 puts its layers in the wrong order, and so do we: nothing in the file says whose it is."""
    first, second = (plain_datasets(DATA / "eras" / name) for name in (SWAPPED_BY_ALL, OF_KERAS_3))
    assert [(name, values.shape) for name, values in first.items()] == [
        (name, values.shape) for name, values in second.items()
    ]


def test_by_name_is_right_whatever_number_an_automatic_name_has(facts):
    named = files(facts, "keras by name: ", "right")
    assert len(named) >= 8
    assert named <= files(facts, "ours by name: ", "right")
    assert files(facts, "ours by name: ", "right") == files(facts, "keras by name: ", "")


def test_by_name_keras_leaves_layers_of_other_numbers_as_they_are_without_a_word(facts):
    assert "keras20_recurrent.h5" in files(facts, "keras by name: ", "misplaced")
    assert "has nothing" in facts["keras by name: keras20_recurrent.h5"]


def test_a_second_model_of_a_session_is_loaded_as_the_first(facts):
    assert len(files(facts, "again ours: ", "right")) == 4
    assert len(files(facts, "again ours by name: ", "right")) == 3
    assert files(facts, "again keras by name: ", "right") == set()


def test_skip_mismatch_leaves_the_head_as_it_is_and_loads_what_keras_loads(facts):
    assert wrong(facts, "skip: ") == {}


def test_what_is_trained_now_does_not_say_which_weight_of_a_legacy_file_is_which(facts):
    assert facts["unfrozen: keras"].startswith("refused: Shape mismatch")
    assert facts["unfrozen: ours"] is True


def test_other_golden_files_are_loaded_as_keras_loads_them(facts):
    unread = "keras315_bfloat16.h5"  # Keras 3 writes opaque bytes there, and reads none
    assert wrong(facts, "other keras: ").keys() == {f"other keras: {unread}"}
    assert wrong(facts, "other: ").keys() == {f"other: {unread}"}
    assert wrong(facts, "formats: ") == {}


def test_layers_in_another_order_get_their_own_weights_and_not_those_of_their_place(facts):
    assert wrong(facts, "order: ") == {}

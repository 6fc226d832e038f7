"""Keras itself, on each backend that is asked for, saves models that are edited right and loads what was edited."""

from __future__ import annotations

import pytest
from backends import BACKENDS, FIRST_OR_ALL, facts_of
from support import DATA

CHECK = "backend_check.py"
LOADED_BY_KERAS_3 = [
    "keras315_nested.keras",
    "keras315_recurrent.keras",
    "keras315_transformer.keras",
    "keras315_preprocessing.keras",
    "keras315_lora.h5",
    "keras315_float16.weights.h5",
    "keras315_bfloat16.weights.h5",
]  # the golden files that Keras 3.15 loads, and weights alone into a fresh model
ON_EVERY_BACKEND = LOADED_BY_KERAS_3[:1]


def golden_of(backend):
    return LOADED_BY_KERAS_3 if backend == BACKENDS[0] else ON_EVERY_BACKEND


@pytest.fixture(scope="module", params=FIRST_OR_ALL)
def backend(request):
    """The facts that one process found on one backend; a backend that is asked for and missing fails here."""
    return request.param, facts_of(CHECK, request.param, *(DATA / name for name in golden_of(request.param)))


def wrong(backend, *words):
    """The facts about some files that do not hold; there must be such facts."""
    found = {fact: holds for fact, holds in backend[1].items() if any(word in fact for word in words)}
    assert found
    return [fact for fact, holds in found.items() if not holds]


def test_the_backend_is_the_one_asked_for(backend):
    assert wrong(backend, "backend is") == []


def test_names_and_kinds_of_a_fresh_model_are_keras_own(backend):
    assert wrong(backend, "names and kinds") == []


def test_a_fresh_model_is_scaled_in_its_files_as_numpy_scales_it_in_memory(backend):
    assert wrong(backend, "scaled as NumPy scales the model") == []


def test_a_quantized_layer_is_refused_until_it_is_excluded(backend):
    assert wrong(backend, "int8.keras") == []


def test_keras_still_loads_what_it_loaded_before_with_exactly_the_edited_values(backend):
    assert wrong(backend, "loads, scaled") == []
    assert {fact.partition(":")[0] for fact in backend[1] if "loads, scaled" in fact} == set(golden_of(backend[0]))

"""Files of old layers, loaded into layers of Keras 3: the outputs are what the old layers computed."""

from __future__ import annotations

import pytest
from backends import BACKENDS, facts_of, wrong

CHECK = "conversion_check.py"


@pytest.fixture(scope="module")
def facts():
    return facts_of(CHECK, BACKENDS[0])


def test_recurrent_layers_of_keras_1_and_2_compute_what_they_did(facts):
    assert wrong(facts, "recurrent:") == {}


def test_cudnn_layers_and_plain_ones_compute_the_same(facts):
    assert wrong(facts, "cudnn:") == {}


def test_convolutions_of_keras_1_and_of_theano_compute_what_they_did(facts):
    assert wrong(facts, "convolution:") == {}


def test_other_layers_of_keras_1_compute_what_they_did(facts):
    assert wrong(facts, "other:") == {}


def test_a_dense_after_a_flatten_of_another_order_computes_what_it_did(facts):
    assert wrong(facts, "flattened:") == {}


def test_resized_weights_compute_what_their_formulas_say(facts):
    assert wrong(facts, "resized:") == {}

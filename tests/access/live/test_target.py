"""What can be opened in memory; without Keras, nothing."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit import Scale, edit, open_weights
from weightkit.errors import RequestError


@pytest.mark.parametrize("target", [object(), 3, None, {"a": 1}, np.ones(2)])
def test_what_is_no_model_is_refused_in_one_line(target):
    with pytest.raises(RequestError, match=r"must be a path or a Keras 3 model, got .* — give a path") as refusal:
        open_weights(target)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("module", ["tf_keras.src.engine.training", "keras.engine.sequential", "keras.src.engine.base"])
def test_models_of_keras_2_are_refused_in_words(module):
    model = type("Sequential", (), {"__module__": module})()
    with pytest.raises(RequestError, match="Sequential of Keras 2, whose models can only be read from files"):
        edit(model, Scale(0.5))


def test_an_empty_list_is_refused():
    with pytest.raises(RequestError, match="list of variables is empty"):
        open_weights([])


def test_a_list_of_something_else_is_refused():
    with pytest.raises(RequestError, match="must be a Keras 3 variable, got ndarray at index 0"):
        open_weights([np.ones(2)])

"""What can be opened in memory; here, without Keras, nothing."""

from __future__ import annotations

import numpy as np
import pytest

from weightkit import Scale, edit, open_weights
from weightkit.errors import RequestError


@pytest.mark.parametrize("target", [object(), 3, None, {"a": 1}, np.ones(2)])
def test_what_is_no_model_is_refused_in_one_line(target):
    with pytest.raises(RequestError, match="not a path and no model of Keras 3 — give a path") as refusal:
        open_weights(target)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("module", ["tf_keras.src.engine.training", "keras.engine.sequential", "keras.src.engine.base"])
def test_models_of_keras_2_are_refused_in_words(module):
    model = type("Sequential", (), {"__module__": module})()
    with pytest.raises(RequestError, match="Sequential of Keras 2, whose models are read from files only"):
        edit(model, Scale(0.5))


def test_an_empty_list_is_refused():
    with pytest.raises(RequestError, match="list of variables is empty"):
        open_weights([])


def test_a_list_of_something_else_is_refused():
    with pytest.raises(RequestError, match="its item 0 is a ndarray, not a variable"):
        open_weights([np.ones(2)])

"""What can be opened in memory; without Keras, nothing."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import pytest

from weightkit import Scale, edit, open_weights
from weightkit.errors import RequestError


def compiled(x):
    return x


@pytest.mark.parametrize(
    ("target", "what", "hint"),
    [
        (object(), "object", "give a path"),
        (3, "int", "give a path"),
        (True, "bool", "give a path"),
        (None, "NoneType", "give a path"),
        ({"a": 1}, "dict", "a mapping of them has no layers"),
        (np.ones(2), "ndarray", "give the model: arrays alone"),
        (np.float32(2), "float32", "give the model: arrays alone"),
        (io.BytesIO(b""), "BytesIO", "give the path of the file"),
        (b"m.h5", "bytes", "as text"),
        (compiled, "the function compiled", "give the model itself"),
        (functools.lru_cache(compiled), "the function compiled", "give the model itself"),
        (print, "the function print", "give the model itself"),
        (Scale, "the class Scale", "not its class"),
        ((number for number in ()), "generator", "give a path"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(target, what, hint):
    with pytest.raises(RequestError, match=rf"must be a path or a Keras 3 model, got {what} — .*{hint}") as refusal:
        open_weights(target)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("items", [["a.h5", "b.h5"], ("a.h5",), [Path("a.h5")]])
def test_several_paths_are_refused_as_such(items):
    with pytest.raises(RequestError, match="at index 0 — give one path: each file is opened by itself"):
        open_weights(items)


def test_a_list_of_numbers_is_refused():
    with pytest.raises(RequestError, match="must be a Keras 3 variable, got int at index 0 — give a path"):
        open_weights([1, 2])


@pytest.mark.parametrize(
    ("path", "problem", "hint"), [("", "the path is empty", "give a path"), ("~/no/m.h5", "no such file", "expanduser")]
)
def test_a_path_that_a_shell_would_have_changed_is_told(path, problem, hint):
    with pytest.raises(RequestError, match=problem) as refusal:
        open_weights(path)
    assert hint in refusal.value.hint


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

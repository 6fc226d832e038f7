"""Constants: numbers, and arrays that broadcast."""

from __future__ import annotations

import math

import numpy as np
import pytest

from weightkit.errors import RequestError
from weightkit.transforms.initializers.constant import Constant, Ones, Zeros
from weightkit.transforms.initializers.draws import Draws

DRAWS = Draws(0, "w")


@pytest.mark.parametrize(("initializer", "value"), [(Zeros(), 0), (Ones(), 1), (Constant(), 0), (Constant(0.1), 0.1)])
def test_every_element_is_the_number(initializer, value):
    assert initializer((2, 3), DRAWS, 1, 5).tolist() == [value] * 4
    assert initializer.objection((2, 3)) == ""
    assert initializer.elementwise


def test_an_array_is_broadcast_and_any_span_of_it_is_the_same():
    whole = np.broadcast_to([[1.0], [2.0]], (2, 3)).reshape(-1)
    for given in ([[1], [2]], np.array([[1.0], [2.0]]), {"class_name": "__numpy__", "config": {"value": [[1], [2]]}}):
        initializer = Constant(given)
        assert initializer((2, 3), DRAWS, 0, 6).tolist() == whole.tolist()
        assert initializer((2, 3), DRAWS, 2, 5).tolist() == whole[2:5].tolist()


def test_an_array_that_does_not_fit_is_objected_to():
    assert "has shape (2,), and the weight has shape (3,)" in Constant([1, 2]).objection((3,))
    assert Constant([1, 2]).objection((1,)) != ""  # it fits only the other way round


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, [1, [2]], [], [[]], {}, 10**400, [1, "x"]])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(RequestError, match="value of Constant must be finite numbers, got"):
        Constant(value)


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(RequestError) as refused:
        Constant("x" * 1000)
    assert len(str(refused.value)) < 150

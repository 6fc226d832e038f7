"""Checks of arguments return plain values, and name the argument, what it must be and what it is."""

from __future__ import annotations

import re

import numpy as np
import pytest

from weightkit.arguments import boolean, integer_or_none, number, one_of, positive_integer
from weightkit.errors import RequestError


@pytest.mark.parametrize(
    ("check", "value", "plain"),
    [
        (positive_integer, np.int64(3), 3),
        (integer_or_none, None, None),
        (integer_or_none, np.int32(-3), -3),
        (number, 2, 2.0),
        (number, np.float32(0.5), 0.5),
        (boolean, np.bool_(True), True),
    ],
)
def test_a_value_is_returned_as_a_plain_python_value(check, value, plain):
    found = check("it", value)
    assert (found, type(found)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: positive_integer("units", 0), "units must be an integer >= 1, got 0"),
        (lambda: positive_integer("units", True), "units must be an integer >= 1, got True"),
        (lambda: positive_integer("units", 2.0), "units must be an integer >= 1, got 2.0"),
        (lambda: positive_integer("warm_up", -1, at_least=0), "warm_up must be an integer >= 0, got -1"),
        (lambda: integer_or_none("seed", True), "seed must be an integer or None, got True"),
        (lambda: number("rate", float("nan")), "rate must be a finite number, got nan"),
        (lambda: number("rate", float("inf"), 0), "rate must be a finite number >= 0, got inf"),
        (lambda: number("rate", 0, 0, exclusive=True), "rate must be a finite number > 0, got 0"),
        (lambda: number("rate", 1.0, 0, below=1), "rate must be a finite number >= 0 and < 1, got 1.0"),
        (lambda: number("rate", False), "rate must be a finite number, got False"),
        (lambda: number("rate", "1"), "rate must be a finite number, got '1'"),
        (lambda: one_of("mode", ["a"], ("a", "b")), "mode must be one of 'a', 'b', got ['a']"),
        (lambda: one_of("mode", np.ones(2), ("a",)), "mode must be one of 'a', got array([1., 1.])"),
        (lambda: boolean("use_bias", 1), "use_bias must be True or False, got 1"),
        (lambda: boolean("use_bias", None), "use_bias must be True or False, got None"),
        (lambda: boolean("verify", np.str_("False")), f"verify must be True or False, got {np.str_('False')!r}"),
        (lambda: boolean("verify", np.array(True)), "verify must be True or False, got array(True)"),
    ],
)
def test_a_wrong_value_is_refused_with_name_requirement_and_value(refused, message):
    with pytest.raises(RequestError, match=f"^{re.escape(message)}$"):
        refused()

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from weightkit.access.ref import Kind
from weightkit.access.select.fields import _EXAMPLES, _READ, Field
from weightkit.access.select.pattern_escape import FIELD_WORDS
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

    Make = Callable[..., WeightRef]


@pytest.fixture
def mean(weight: Make) -> WeightRef:
    return weight(
        "norm/moving_mean",
        shape=(8,),
        dtype=np.dtype("float16"),
        kind=Kind.STATISTIC,
        layer_class="BatchNormalization",
        trainable=False,
    )


@pytest.mark.parametrize(
    ("word", "value", "expected"),
    [
        ("class", "BatchNormalization", True),
        ("class", "*Norm*", True),
        ("class", "batchnormalization", False),
        ("class", "Dense|Batch*", True),
        ("name", "moving_mean", True),
        ("name", "{gamma,moving_*}", True),
        ("name", "mean", False),
        ("kind", "statistic", True),
        ("kind", "parameter|statistic", True),
        ("kind", "state", False),
        ("dtype", "float*", True),
        ("dtype", "float32", False),
        ("rank", "1", True),
        ("rank", "2|3", False),
        ("rank", ">=1", True),
        ("rank", ">1", False),
        ("rank", "<=1", True),
        ("rank", "<1", False),
        ("trainable", "false", True),
        ("trainable", "true", False),
        ("trainable", "true|false", True),
        ("role", "norm", False),
    ],
)
def test_a_field_asks_for_one_thing_known(mean: WeightRef, word: str, value: str, expected: bool) -> None:
    assert Field(word, value)(mean) is expected


def test_bfloat16_is_a_type_like_others(weight: Make) -> None:
    assert Field("dtype", "bfloat16")(weight("a/kernel", dtype=np.dtype(ml_dtypes.bfloat16)))


@pytest.mark.parametrize(
    ("word", "value"),
    [("name", "*"), ("class", "*"), ("trainable", "true|false"), ("role", "kernel|bias")],
)
def test_what_is_not_known_is_not_chosen(weight: Make, word: str, value: str) -> None:
    assert not Field(word, value)(weight("a/b", name=None))


@pytest.mark.parametrize(
    ("word", "value", "expected"),
    [
        ("name", "moving_mean", True),
        ("kind", "statistic", True),
        ("dtype", "float16", False),
        ("name", "**", False),
        ("name", "**|moving_mean", True),
        ("class", "BatchNormalization", False),
        ("rank", "1", False),
        ("trainable", "false", False),
    ],
)
def test_a_field_is_explicit_where_it_tells_a_weight_from_its_neighbors(
    mean: WeightRef, word: str, value: str, expected: bool
) -> None:
    assert Field(word, value)(mean)
    assert Field(word, value).explicit(mean) is expected


def test_a_role_is_explicit(weight: Make) -> None:
    assert Field("role", "kernel").explicit(weight("a/kernel"))


def test_a_value_may_hold_a_slash(weight: Make) -> None:
    assert Field("name", "cell/kernel")(weight("a/b", layer="lstm", name="cell/kernel"))
    assert Field("name", "*kernel")(weight("a/b", layer="lstm", name="cell/kernel"))


@pytest.mark.parametrize(
    ("word", "value", "hint"),
    [
        ("kind", "statistics", "parameter, statistic, state, quantization, optimizer, unknown"),
        ("kind", "stat*", "parameter, statistic"),
        ("role", "kernel|weights", "kernel, bias, norm, embedding, recurrent, lora"),
        ("trainable", "yes", "true, false"),
        ("rank", "two", "rank:2"),
        ("rank", "65", "from 0 to 64"),
        ("rank", "\u0662", "rank:2"),
        ("name", "", "name:kernel"),
        ("class", "Dense|", "class:Dense"),
        ("layer", "a", "class, dtype, kind, name, rank, role, trainable"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_those_that_can(word: str, value: str, hint: str) -> None:
    with pytest.raises(SelectionError) as caught:
        Field(word, value)
    assert hint in caught.value.hint


def test_a_place_in_an_error_counts_from_the_fields_word() -> None:
    with pytest.raises(SelectionError, match=r"'name:a\{' has a '\{' that is not closed \(character 7\)"):
        Field("name", "a{")


def test_every_field_is_a_word_of_the_language_and_has_an_example() -> None:
    assert set(_READ) == set(_EXAMPLES) == FIELD_WORDS - {"re", "first", "last"}

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.select import Field, Glob, Predicate, combine, parse
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef
    from weightkit.access.select import Choice

    Make = Callable[..., WeightRef]

TEXTS = st.lists(st.sampled_from(["a", "**/kernel", "name:bias", "re:^b", "rank:1"]), min_size=1, max_size=4)


@given(texts=TEXTS, path=st.sampled_from(["a/kernel", "a/bias", "b/bias", "c/gamma"]))
def test_several_where_are_a_union(weight: Make, texts: list[str], path: str) -> None:
    where, _ = combine(texts)
    assert where is not None
    assert where(weight(path)) is any(parse(text)(weight(path)) for text in texts)


def test_nothing_said_is_left_to_the_caller() -> None:
    assert combine(None, None) == (None, None)
    assert combine(None, []) == (None, None)


def test_text_selectors_and_callables_mix() -> None:
    def is_large(ref: WeightRef) -> bool:
        return ref.size > 3

    given_where: list[Choice] = ["a", Field("rank", "2"), is_large]
    assert combine(iter(given_where), is_large) == (
        Glob("a") | Field("rank", "2") | Predicate(is_large),
        Predicate(is_large),
    )


def test_one_selection_stands_for_itself() -> None:
    assert combine("name:bias", Glob("a")) == (Field("name", "bias"), Glob("a"))


def test_an_empty_where_is_refused_for_it_must_not_mean_everything() -> None:
    with pytest.raises(SelectionError, match="where= is an empty list"):
        combine([])


@pytest.mark.parametrize(
    ("wrong", "told"), [(3, "int"), ([None], "NoneType"), ([["a"]], "list"), (b"a", "int"), (Field, "the class Field")]
)
def test_what_is_no_selection_is_refused(wrong: Any, told: str) -> None:
    with pytest.raises(SelectionError, match=f"exclude= must be a selection, got {told}"):
        combine(None, wrong)

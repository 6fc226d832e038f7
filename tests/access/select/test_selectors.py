from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.select import EndLayers, Field, Glob, Predicate, Regex, Selector
from weightkit.access.select.selectors import And, Not, Or

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

    Make = Callable[..., WeightRef]

LEAVES = st.sampled_from(
    [Glob("a"), Glob("**/kernel"), Glob("*/*"), Field("name", "bias"), Field("rank", "2"), Regex("^b")]
)
SELECTORS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda sides: sides[0] & sides[1]),
        st.tuples(inner, inner).map(lambda sides: sides[0] | sides[1]),
        inner.map(lambda part: ~part),
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(["a/kernel", "a/bias", "b/kernel", "b/bias", "a/b/kernel", "c/d/e"])


@given(left=SELECTORS, right=SELECTORS, path=PATHS)
def test_the_signs_mean_and_or_and_not(weight: Make, left: Selector, right: Selector, path: str) -> None:
    ref = weight(path)
    assert (left & right)(ref) is (left(ref) and right(ref))
    assert (left | right)(ref) is (left(ref) or right(ref))
    assert (~left)(ref) is not left(ref)


@given(left=SELECTORS, right=SELECTORS, path=PATHS)
def test_de_morgans_laws_hold(weight: Make, left: Selector, right: Selector, path: str) -> None:
    ref = weight(path)
    assert (~(left & right))(ref) is (~left | ~right)(ref)
    assert (~(left | right))(ref) is (~left & ~right)(ref)


@given(left=SELECTORS, right=SELECTORS, path=PATHS)
def test_what_is_joined_is_explicit_where_a_side_that_matches_is(
    weight: Make, left: Selector, right: Selector, path: str
) -> None:
    ref = weight(path)
    either = left.explicit(ref) or right.explicit(ref)
    assert (left | right).explicit(ref) is either
    assert (left & right).explicit(ref) is ((left & right)(ref) and either)
    assert not (~left).explicit(ref)


@given(selector=SELECTORS, path=PATHS)
def test_what_is_explicit_is_chosen(weight: Make, selector: Selector, path: str) -> None:
    ref = weight(path)
    assert selector(ref) or not selector.explicit(ref)


@given(selector=SELECTORS)
def test_a_repr_evaluates_to_an_equal_selector(selector: Selector) -> None:
    again = eval(repr(selector), {"Glob": Glob, "Field": Field, "Regex": Regex})  # noqa: S307 - our own text
    assert again == selector
    assert hash(again) == hash(selector)


def test_a_joined_selector_reads_like_what_was_written() -> None:
    selector = (Glob("encoder") | Field("role", "bias")) & ~(Glob("a") | Regex("^b"))
    assert str(selector) == "(encoder | role:bias) & ~(a | re:^b)"


def test_a_chain_of_one_sign_is_flat() -> None:
    a, b, c = Glob("a"), Glob("b"), Glob("c")
    assert (a | b) | c == a | (b | c) == Or((a, b, c))
    assert (a & b) & c == And((a, b, c))
    assert a & b != a | b


def test_a_plain_callable_joins_from_either_side(weight: Make) -> None:
    def is_large(ref: WeightRef) -> bool:
        return ref.size > 3

    ref = weight("a/kernel")
    assert (Glob("a") & is_large)(ref)
    assert (is_large & Glob("a"))(ref)
    assert not (is_large & Glob("b"))(ref)
    assert (is_large | Glob("b"))(ref)
    assert Glob("b") | is_large == Or((Glob("b"), Predicate(is_large)))
    assert "is_large" in str(Predicate(is_large))


def test_what_a_callable_chooses_it_means(weight: Make) -> None:
    assert Predicate(lambda _ref: True).explicit(weight("a/moving_mean"))


def test_a_selector_does_not_join_with_what_is_none() -> None:
    with pytest.raises(TypeError):
        Glob("a") & 3  # type: ignore[operator]


def test_binding_reaches_every_part_and_leaves_the_rest_as_it_is(weight: Make) -> None:
    refs = [weight("block1/kernel"), weight("block2/kernel")]
    last = EndLayers("last", 1, "block*")
    bound = EndLayers("last", 1, "block*", frozenset({"block2"}))
    assert (Glob("a") & (last | ~last)).bind(refs, ordered=True) == Glob("a") & (bound | ~bound)
    assert Not(Glob("a")).bind(refs, ordered=False) == Not(Glob("a"))

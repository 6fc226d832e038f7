from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.ref import Kind
from weightkit.access.select import Glob, nearest, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

    Make = Callable[..., WeightRef]


@pytest.fixture(scope="session")
def refs(weight: Make) -> list[WeightRef]:
    statistic = {"kind": Kind.STATISTIC, "layer_class": "BatchNormalization"}
    return [
        weight("encoder/dense_1/kernel", "layers/dense/vars/0", layer_class="Dense"),
        weight("encoder/dense_1/bias", "layers/dense/vars/1", layer_class="Dense"),
        weight("encoder/norm/moving_mean", "layers/batch_normalization/vars/2", **statistic),
        weight("decoder/head[0]/kernel", "layers/dense_1/vars/0", layer_class="Dense"),
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("encodr", "encoder"),
        ("dense_1", "encoder/dense_1"),
        ("dense_l/*", "encoder/dense_1"),
        ("encoder/dense_1/kernle", "encoder/dense_1/kernel"),
        ("encoder/**/moving_men", "encoder/norm/moving_mean"),
        ("layers/dense/var/0", "layers/dense/vars/0"),
        ("head\\[0\\]", r"decoder/head\[0\]"),
        ("re:^encodr/", "encoder"),
        ("last:2:encodr", "encoder"),
        ("knd:statistic", "kind:statistic"),
        ("Class:Dense", "class:Dense"),
        ("class:Dens", "class:Dense"),
        ("name:kernl", "name:kernel"),
    ],
)
def test_what_was_meant_comes_first(refs: list[WeightRef], text: str, first: str) -> None:
    assert nearest(text, refs)[0] == first


def test_a_field_of_which_nothing_is_alike_tells_what_there_is(refs: list[WeightRef]) -> None:
    assert nearest("kind:optimizer", refs) == ["kind:parameter", "kind:statistic"]


def test_a_joined_selector_asks_for_each_part(refs: list[WeightRef]) -> None:
    assert nearest(Glob("encodr") & parse("class:Dens"), refs)[:2] == ["encoder", "class:Dense"]


def test_no_more_are_told_than_asked_for(refs: list[WeightRef]) -> None:
    assert len(nearest("dense", refs, limit=1)) == 1


@pytest.mark.parametrize("text", ["zzzzzz", "**", "{", ""])
def test_where_nothing_is_alike_nothing_is_told(refs: list[WeightRef], text: str) -> None:
    assert nearest(text, refs) == []


@given(text=st.text("encodrs/*_1:[]{}knd", max_size=20))
def test_every_answer_chooses_something(refs: list[WeightRef], text: str) -> None:
    for answer in nearest(text, refs):
        selector = parse(answer)
        assert any(map(selector, refs)) or ":" in answer


def test_a_hundred_thousand_weights_are_compared_with_few(weight: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    ratio = difflib.SequenceMatcher.ratio

    def counted(matcher: difflib.SequenceMatcher[str]) -> float:
        compared.append(matcher)
        return ratio(matcher)

    monkeypatch.setattr(difflib.SequenceMatcher, "ratio", counted)
    refs = [weight(f"stage/block_{number}/kernel", f"vars/{number}") for number in range(100_000)]
    assert nearest("stage/blok_54321/kernel", refs)[0] == "stage/block_54321/kernel"
    assert 0 < len(compared) <= 200

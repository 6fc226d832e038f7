from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weightkit.access.ref import Kind
from weightkit.access.select.ends import EndLayers
from weightkit.access.select.parse import parse
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef


@pytest.fixture
def refs(weight: Callable[..., WeightRef]) -> list[WeightRef]:
    blocks = ["stem/kernel", "block2/a/kernel", "block2/a/bias", "block10/kernel", "block1/block_conv/kernel"]
    return [weight(path, f"vars/{number}") for number, path in enumerate(blocks)]


def chosen(text: str, refs: list[WeightRef]) -> list[str]:
    bound = parse(text).bind(refs, ordered=True)
    return [ref.path for ref in refs if bound(ref)]


def test_layers_count_in_the_order_of_the_store_and_not_of_their_names(refs: list[WeightRef]) -> None:
    assert chosen("last:2:block*", refs) == ["block10/kernel", "block1/block_conv/kernel"]
    assert chosen("first:1:block*", refs) == ["block2/a/kernel", "block2/a/bias"]


def test_a_layer_is_the_shortest_leading_part_that_matches(refs: list[WeightRef]) -> None:
    assert chosen("last:1:**/block*", refs) == ["block1/block_conv/kernel"]
    assert chosen("first:2:**", refs) == ["stem/kernel", "block2/a/kernel", "block2/a/bias"]


def test_where_there_are_fewer_layers_all_are_chosen(refs: list[WeightRef]) -> None:
    assert len(chosen("last:9:block*", refs)) == 4
    short = parse("last:9:block*").bind(refs, ordered=True).shortfall()
    assert short == "the selection last:9:block* asks for 9 layers, and there are 3"
    assert parse("last:3:block*").bind(refs, ordered=True).shortfall() == ""
    assert chosen("last:1:nothing", refs) == []


def test_the_end_layers_are_never_explicit(refs: list[WeightRef]) -> None:
    bound = parse("last:1:block*").bind(refs, ordered=True)
    assert bound(refs[-1])
    assert not bound.explicit(refs[-1])


def test_an_unknown_order_is_refused(refs: list[WeightRef]) -> None:
    with pytest.raises(SelectionError, match="but the file does not store it"):
        parse("last:2:block*").bind(refs, ordered=False)


def test_asking_before_binding_is_refused(refs: list[WeightRef]) -> None:
    with pytest.raises(SelectionError, match="bind"):
        parse("last:2:block*")(refs[0])


def test_binding_again_follows_the_new_store(refs: list[WeightRef]) -> None:
    once = parse("last:1:block*").bind(refs, ordered=True)
    assert [ref.path for ref in refs if once.bind(refs[:3], ordered=True)(ref)] == [
        "block2/a/kernel",
        "block2/a/bias",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "last:",
        "last:2",
        "last:2:",
        "last:0:a",
        "last:-1:a",
        "last:x:a",
        "last:\u0662:a",
        "first:1:class:Dense",
        "last:1:a{",
        "last:9999999999:a",
    ],
)
def test_a_malformed_count_or_pattern_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse(text)
    assert text in caught.value.problem
    assert caught.value.hint


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(SelectionError, match="asks for 0 layers"):
        EndLayers("last", 0, "block*")


def test_the_optimizer_behind_the_layers_is_no_layer(refs: list[WeightRef], weight: Callable[..., WeightRef]) -> None:
    slots = weight("optimizer_weights/Variable_1", kind=Kind.OPTIMIZER)
    assert chosen("last:1:*", [*refs, slots]) == ["block1/block_conv/kernel"]

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.access.select.parse import parse
from weightkit.access.select.paths import Glob
from weightkit.access.select.pattern_escape import FIELD_WORDS, escape_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.ref import WeightRef

ODD = st.text("ab/\\*?[]{},!:|#^ \n", min_size=1, max_size=12)


@given(paths=st.lists(ODD, min_size=1, max_size=6, unique=True))
def test_an_escaped_path_selects_that_weight_and_what_lies_under_it(
    weight: Callable[..., WeightRef], paths: list[str]
) -> None:
    refs = [weight(path, f"vars/{number}", layer="", name=path) for number, path in enumerate(paths)]
    for path in paths:
        chosen = [ref.path for ref in refs if parse(escape_pattern(path))(ref)]
        assert chosen == [other for other in paths if other == path or other.startswith(f"{path}/")]


@given(path=ODD)
def test_an_escaped_path_names_its_weight_itself(weight: Callable[..., WeightRef], path: str) -> None:
    assert parse(escape_pattern(path)).explicit(weight(path, "vars/0", layer="", name=path))


@pytest.mark.parametrize("word", sorted(FIELD_WORDS))
def test_a_layer_called_like_a_field_is_escaped_to_a_glob(word: str) -> None:
    assert isinstance(parse(escape_pattern(f"{word}:1/kernel")), Glob)


def test_a_plain_path_stays_as_it_is() -> None:
    assert escape_pattern("d1/d1/kernel:0#2") == "d1/d1/kernel:0#2"

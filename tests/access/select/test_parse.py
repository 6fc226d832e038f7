from __future__ import annotations

import doctest
import importlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weightkit.access.select.ends import EndLayers
from weightkit.access.select.fields import Field
from weightkit.access.select.parse import parse
from weightkit.access.select.paths import Glob, Regex
from weightkit.access.select.pattern_escape import FIELD_WORDS
from weightkit.errors import SelectionError

if TYPE_CHECKING:
    from weightkit.access.select.selectors import Selector

WORDS = st.sampled_from(["", *(f"{word}:" for word in sorted(FIELD_WORDS)), "first:1:", "last:2:", "knd:"])
REST = st.text("ab/*?[]{},\\|!^-:#()+.0129<>= ", max_size=15) | st.text(max_size=8)
VALUES = st.sampled_from(["kernel|bias", "statistic", "true", "2", ">=2", "1:block*", "float{16,32}", "a/**"])
TEXTS = st.one_of(st.text(), st.tuples(WORDS, REST | VALUES).map("".join))


@settings(max_examples=500)
@given(text=TEXTS)
def test_whatever_is_no_selection_is_refused_in_words_and_the_rest_reads_back(text: str) -> None:
    try:
        selector = parse(text)
    except SelectionError as error:
        told = error
        assert told.problem
        assert told.hint
    else:
        assert parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("encoder/**/kernel", Glob("encoder/**/kernel")),
        ("d/kernel:0", Glob("d/kernel:0")),
        ("knd:statistic", Glob("knd:statistic")),
        ("Kind:statistic", Glob("Kind:statistic")),
        ("kind", Glob("kind")),
        (r"kind\:statistic", Glob(r"kind\:statistic")),
        ("re:^block[12]/", Regex("^block[12]/")),
        ("re:a:b", Regex("a:b")),
        ("class:Dense", Field("class", "Dense")),
        ("last:02:block*", EndLayers("last", 2, "block*")),
        ("first:1:d/kernel:0", EndLayers("first", 1, "d/kernel:0")),
    ],
)
def test_a_field_is_recognized_only_by_its_exact_word(text: str, selector: Selector) -> None:
    assert parse(text) == selector


def test_a_glob_made_by_hand_prints_as_text_that_reads_as_a_glob() -> None:
    assert str(Glob("kind:odd")) == r"kind\:odd"
    assert isinstance(parse(str(Glob("kind:odd"))), Glob)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}",
        "\\",
        "[",
        "kind:",
        "re:(",
        "{a,b}" * 64,
        "{" * 10_000,
        "a" * 100_000,
        "re:" + "(" * 30_000,
        "re:a{" + "9" * 5000 + "}",
        "re:(?P=" + "a" * 5000 + ")",
        "rank:" + "9" * 5000,
        "last:" + "9" * 5000 + ":a",
    ],
)
def test_absurd_texts_are_refused_in_words_that_stay_short(text: str) -> None:
    with pytest.raises(SelectionError) as caught:
        parse(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["**/" * 20_000 + "x", "*a" * 20_000, "[a]" * 20_000, "\ud800", "\0"])
def test_long_and_odd_texts_are_read(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize("name", ["parse", "pattern_escape"])
def test_the_examples_run(name: str) -> None:
    # The package's function of the same name hides the module from an import statement.
    module = importlib.import_module(f"weightkit.access.select.{name}")
    assert doctest.testmod(module).failed == 0

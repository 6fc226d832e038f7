from __future__ import annotations

import pytest

from weightkit.access.select.tokens import MOST_ALTERNATIVES, alternatives
from weightkit.errors import SelectionError


def texts(pattern: str, *, is_path: bool = True) -> list[str]:
    found = alternatives(pattern, is_path=is_path)
    return ["".join(token.value for token in alternative) for alternative in found]


def test_braces_multiply_out_in_reading_order() -> None:
    assert texts("{a,b}x{c,{d,e}}") == ["axc", "axd", "axe", "bxc", "bxd", "bxe"]


def test_an_alternative_in_braces_may_be_empty_or_hold_a_slash() -> None:
    assert texts("a{,/b}") == ["a", "a/b"]


def test_a_backslash_takes_the_meaning_from_what_follows() -> None:
    assert texts(r"\{a\,\*\}") == ["{a,*}"]


def test_a_bar_parts_values_and_not_paths() -> None:
    assert texts("a|b") == ["a|b"]
    assert texts("a|{b|c,d}", is_path=False) == ["a", "b|c", "d"]
    assert texts(r"a\|b", is_path=False) == ["a|b"]


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("enc{a", "has a '{' that is not closed (character 4)"),
        ("enc}", "has a lone '}' (character 4)"),
        ("enc]", "has a lone ']' (character 4)"),
        ("[ab", "has a '[' that is not closed (character 1)"),
        ("a[]", "has an empty set (character 2)"),
        ("a[!]", "has an empty set (character 2)"),
        ("[^a]", "negates a set with '^' (character 1)"),
        ("[z-a]", "has a set with the range 'z-a', which is empty (character 1)"),
        ("[a/b]", "has a '/' in a set (character 1)"),
        ("block{}", "has empty braces (character 6)"),
        ("a\\", "has a backslash with nothing after it (character 2)"),
        ("{" * 40, "nests braces deeper than 16 levels (character 17)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(pattern: str, fault: str) -> None:
    with pytest.raises(SelectionError) as caught:
        alternatives(pattern)
    assert fault in caught.value.problem
    assert caught.value.hint


def test_braces_past_the_limit_are_refused_before_they_are_made() -> None:
    with pytest.raises(SelectionError, match="1,267,650,600,228,229,401,496,703,205,376 alternatives"):
        alternatives("{a,b}" * 100)


def test_few_braces_around_much_text_are_refused_before_they_are_made() -> None:
    with pytest.raises(SelectionError, match="25,000,500 characters together"):
        alternatives("{" + ",".join("a" * 500) + "}" + "x" * 50_000)


def test_as_many_alternatives_as_the_limit_are_read() -> None:
    names = [f"block_{number}" for number in range(MOST_ALTERNATIVES)]
    assert texts("{" + ",".join(names) + "}") == names
    with pytest.raises(SelectionError, match="expands to 1,001 alternatives"):
        alternatives("{" + ",".join([*names, "one_more"]) + "}")


def test_a_text_longer_than_any_selection_is_refused() -> None:
    with pytest.raises(SelectionError, match="has 70,000 characters"):
        alternatives("a" * 70_000)

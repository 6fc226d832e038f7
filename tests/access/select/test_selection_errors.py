from __future__ import annotations

from weightkit.access.select.selection_errors import malformed, shown


def test_an_error_says_which_text_what_is_wrong_and_what_to_write() -> None:
    error = malformed("a{", "has a '{' that is not closed", "close it")
    assert str(error) == "the selection 'a{' has a '{' that is not closed — close it"


def test_only_the_beginning_of_an_absurdly_long_text_is_shown() -> None:
    assert shown("a" * 1000) == "'" + "a" * 80 + "…'"

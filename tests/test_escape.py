"""What is printed stays on its line and steers no terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.escape import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dense/kernel:0", "dense/kernel:0"),
        ("größe/重み", "größe/重み"),
        ("a\nb", "a\\nb"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00", "\\x00"),
        ("\u202egnp", "\\u202egnp"),
        ("\u200b\ufeff", "\\u200b\\ufeff"),
        ("\u2028", "\\u2028"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("back\\slash", "back\\slash"),
        ("back\\slash\n", "back\\\\slash\\n"),
    ],
)
def test_what_does_not_print_is_shown_by_its_code(text, shown):
    assert escape(text) == shown


@given(st.text(st.characters(codec=None)))
def test_no_character_that_steers_a_terminal_comes_through(text):
    categories = {unicodedata.category(char) for char in escape(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters(categories=["Cc", "Lu", "Po"])))
def test_what_had_to_be_escaped_can_be_told_apart_from_what_looks_like_it(text):
    if not text.isprintable():
        assert escape(text).encode("ascii", "backslashreplace").decode("unicode_escape") == text

"""What is printed stays on its line, steers no terminal, and is told apart from everything else."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weightkit.errors import RequestError
from weightkit.escape import escape, escape_cell, printable, unescaped

# Unicode 15's property Default_Ignorable_Code_Point, where it is assigned, and blanks that are none of these.
IGNORABLE = [
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
    *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
    *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), 0xE0001, *range(0xE0020, 0xE0080), *range(0xE0100, 0xE01F0),
]  # fmt: skip
BLANK = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x2800, 0x3000]
ANY = st.text(st.characters(codec=None))
TRICKY = st.text("ab\\ntxu03164 \t\n\u3164\u034f\ufe0f\u2800e\u0301\u0323\xe9\u1e1b\u1100\u1161\uac00\u212b\xc5\u202e")


def decoded(shown):
    """The text that was printed, by Python's own reading of its codes."""
    code = r"\\(?:[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
    assert "\\" not in re.sub(code, "", shown)
    return re.sub(code, lambda match: match.group().encode("ascii").decode("unicode_escape"), shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dense/kernel:0", "dense/kernel:0"),
        ("größe/重み", "größe/重み"),
        ("a\nb", "a\\nb"),
        ("a\r\tb", "a\\r\\tb"),
        ("a\\tb", "a\\\\tb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00", "\\x00"),
        ("\u202egnp", "\\u202egnp"),
        ("\u200b\ufeff", "\\u200b\\ufeff"),
        ("\u2028", "\\u2028"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("back\\slash", "back\\\\slash"),
        ("gro\u0308\xdfe", "gro\\u0308\xdfe"),
        ("\u0301a/\u0301", "\\u0301a/\\u0301"),
        ("\u1100\u1161", "\u1100\\u1161"),
        ("\u0915\u094d\u0937\u093f", "\u0915\u094d\u0937\u093f"),  # Hindi is written with marks
    ],
)
def test_what_does_not_print_or_would_look_like_something_else_is_shown_by_its_code(text, shown):
    assert escape(text) == shown


@pytest.mark.parametrize("show", [escape, escape_cell])
@given(text=ANY | TRICKY)
def test_different_texts_are_never_printed_alike(show, text):
    shown = show(text)
    # What is read back is what was printed, and Unicode has no other text that looks like it.
    assert decoded(shown) == text
    assert unescaped(shown) == text
    assert unicodedata.is_normalized("NFC", shown)


@given(ANY)
def test_no_character_that_steers_a_terminal_comes_through(text):
    categories = {unicodedata.category(char) for char in escape(text) + printable(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("show", [escape, printable])
def test_every_character_that_shows_nothing_is_shown_by_its_code(show):
    assert [f"{point:x}" for point in IGNORABLE + BLANK if show(f"a{chr(point)}b").isascii() is False] == []


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "a"), (" a b ", "\\x20a b\\x20"), ("  ", "\\x20\\x20"), ("", ""), ("a\\", "a\\\\")]
)
def test_spaces_at_the_ends_of_a_cell_are_shown(text, shown):
    assert escape_cell(text) == shown


@pytest.mark.parametrize("text", ["a\\[", "\\", "\\q", "\\x2", "\\Uffffffff"])
def test_what_is_never_printed_stands_for_nothing(text):
    assert unescaped(text) is None


def test_an_error_prints_its_names_and_keeps_the_pattern_of_its_hint():
    error = RequestError("no weight a\tb or a\\tb\u3164", hint="try 'f\\[0\\]'\x1b", file="m\x1b.h5")
    assert str(error) == "m\\x1b.h5: no weight a\\tb or a\\\\tb\\u3164 — try 'f\\[0\\]'\\x1b"
    assert (error.problem, error.file) == ("no weight a\tb or a\\tb\u3164", "m\x1b.h5")


def test_many_marks_on_one_letter_are_printed_in_time_that_grows_with_their_number():
    assert escape("a" + "\u0334" * 100_000).count("\\u0334") > 99_000

"""The one way to print a name from a file: it controls no terminal, and two different names never look the same."""

from __future__ import annotations

import re
import sys
import unicodedata

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_CHARS = {shown: char for char, shown in _NAMED.items()}
_UNSEEN = re.compile(
    # Characters that Python calls printable and that show nothing: Unicode's default ignorable code points (fillers of
    # Hangul, variation selectors, the grapheme joiner), blanks and joiners of single scripts, and the object character.
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u2d7f\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U00013441\U00013442\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
_MOST_MARKS = 8
"""Marks on one letter; no language has as many."""
_CODE = re.compile(r"\\(?:[nrt\\]|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
"""What stands for a character that is not shown, as `escape` writes it."""


def escape(text: str) -> str:
    r"""``text`` on one line; different texts give different results, which look different.

    Written by their codes (``\x1b``, ``\u202e``, ``\udc80``) are control characters, terminal sequences, marks that
    change the direction of writing, lone surrogates, characters that show nothing, every space but the plain one, and
    combining marks that would join with what is before them into another character. A backslash is doubled.

    >>> print(escape("dense/kernel"))
    dense/kernel
    >>> print(escape("a\x1b[31m"))
    a\x1b[31m
    >>> print(escape("a\tb"), escape(r"a\tb"))
    a\tb a\\tb
    """
    if text.isascii() and text.isprintable():
        return text.replace("\\", "\\\\")
    return _escaped(text, backslash="\\\\")


def escape_cell(text: str) -> str:
    r"""The same for a name or another text between others: spaces at its ends are written by their codes too.

    >>> print(escape_cell("kernel "))
    kernel\x20
    """
    inside = text.strip(" ")
    if len(inside) == len(text):
        return escape(text)
    before = len(text) - len(text.lstrip(" ")) if inside else len(text)
    after = len(text) - before - len(inside)
    return "\\x20" * before + escape(inside) + "\\x20" * after


def printable(text: str) -> str:
    r"""A text of our own in which backslashes mean what they do, such as a hint with a pattern: they stay single.

    >>> print(printable("use 'features\\[0\\]'\x1b"))
    use 'features\[0\]'\x1b
    """
    return text if text.isascii() and text.isprintable() else _escaped(text, backslash="\\")


def quoted(text: str) -> str:
    r"""A name in quotes, for the representation of an object; Python's ``repr`` shows fillers as nothing.

    >>> print(quoted("a\u3164b"))
    'a\u3164b'
    """
    return f"'{escape(text)}'"


def code_at(text: str, start: int) -> tuple[str, int] | None:
    r"""The character that is written by a code at this place, and where the code ends; None if there is no code.

    >>> code_at(r"a\u3164b", 1)
    ('\u3164', 7)
    >>> code_at(r"a\[0\]", 1) is None
    True
    """
    match = _CODE.match(text, start)
    if match is None:
        return None
    if match.lastindex is None:
        return _CHARS[match.group()], match.end()
    point = int(match[match.lastindex], 16)
    return (chr(point), match.end()) if point <= sys.maxunicode else None


def unescaped(shown: str) -> str | None:
    r"""The text that is printed like this; None if none is.

    >>> unescaped(r"a\\tb"), unescaped(r"a\[b")
    ('a\\tb', None)
    """
    chars: list[str] = []
    at = 0
    while at < len(shown):
        code = code_at(shown, at) if shown[at] == "\\" else (shown[at], at + 1)
        if code is None:
            return None
        char, at = code
        chars.append(char)
    return "".join(chars)


def _escaped(text: str, *, backslash: str) -> str:
    shown: list[str] = []
    cluster = ""
    for char in text:
        plain = char.isprintable() and char != "\\" and not _UNSEEN.match(char) and _stands_alone(cluster, char)
        shown.append(char if plain else backslash if char == "\\" else _NAMED.get(char) or _code(char))
        cluster = "" if not plain else cluster + char if _is_mark(char) else char
    return "".join(shown)


def _stands_alone(cluster: str, char: str) -> bool:
    """Whether a character looks as itself after a letter and its marks, or after none."""
    if char.isascii():
        return True
    if _is_mark(char) and (len(cluster) > _MOST_MARKS or unicodedata.category(cluster[:1] or " ")[0] not in "LN"):
        return False
    # Two texts that Unicode calls equivalent look the same: the composed one is shown as it is.
    return unicodedata.is_normalized("NFC", cluster + char)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _code(char: str) -> str:
    point = ord(char)
    if point <= 0xFF:  # noqa: PLR2004  # one byte
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004  # the basic plane

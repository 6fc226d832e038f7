"""The one way to print a name from a file: nothing in it can control a terminal or mislead a reader."""

from __future__ import annotations

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def escape(text: str) -> str:
    r"""``text`` on one line, with every unprintable character shown by its code.

    Control characters, terminal sequences, marks that change the direction of writing, lone surrogates and
    characters of no width are written as ``\x1b``, ``\u202e``, ``\udc80``; so is the backslash, when there is any
    of those, to keep the result unambiguous.

    >>> print(escape("dense/kernel"))
    dense/kernel
    >>> print(escape("a\x1b[31m"))
    a\x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(_NAMED.get(char) or (char if char.isprintable() else _code(char)) for char in text)


def _code(char: str) -> str:
    point = ord(char)
    if point <= 0xFF:  # noqa: PLR2004  # one byte
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004  # the basic plane

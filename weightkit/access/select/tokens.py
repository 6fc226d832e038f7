"""Parse the text of a glob into its alternatives: tokens, with escapes resolved and braces expanded."""

from __future__ import annotations

import enum
import re
from itertools import chain, product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from weightkit.access.select.selection_errors import malformed, refuse_absurd_length
from weightkit.escape import code_at

if TYPE_CHECKING:
    from collections.abc import Iterable

# Braces multiply: a short text can stand for billions of alternatives.
MOST_ALTERNATIVES = 1000
LARGEST_EXPANSION = 1 << 18  # tokens in all alternatives together
DEEPEST_BRACES = 16  # levels


class Part(enum.Enum):
    """What a token of a glob stands for."""

    TEXT = "text"
    ANY = "?"
    STAR = "*"
    SET = "[]"
    SLASH = "/"


class Token(NamedTuple):
    """One character's worth of a glob; a set's value is its regular expression."""

    part: Part
    value: str


class Group(NamedTuple):
    """Alternatives of which one applies: ``{a,b}``."""

    options: tuple[tuple[Token | Group, ...], ...]


Sequence: TypeAlias = tuple[Token | Group, ...]
Alternative: TypeAlias = tuple[Token, ...]

_SIMPLE = {"*": Part.STAR, "?": Part.ANY}


def alternatives(text: str, *, start: int = 0, is_path: bool = True) -> list[Alternative]:
    """Read the glob that begins at ``start`` of a selection.

    Args:
        text: The whole selection, so that errors can show it and count its characters.
        start: Where the glob begins.
        is_path: Whether a slash separates segments. If not, it is an ordinary character, and ``|`` separates
            alternatives, as in ``name:kernel|bias``.

    Raises:
        SelectionError: If it is malformed, or its braces expand past the limits.
    """
    refuse_absurd_length(text)
    group = _Reader(text, start, is_path=is_path).read()
    count, size = _measure(group)
    if count > MOST_ALTERNATIVES or size > LARGEST_EXPANSION:
        fault = f"expands to {count:,} alternatives of {size:,} characters together"
        limits = f"{MOST_ALTERNATIVES:,} alternatives or {LARGEST_EXPANSION:,} characters"
        raise malformed(text, f"{fault}, more than {limits}", "use '*' or give several selections")
    return list(_expand(group))


def _measure(group: Group) -> tuple[int, int]:
    """Count the alternatives and their tokens, without making them."""
    total_count = total_size = 0
    for option in group.options:
        count, size = 1, 0
        for item in option:
            item_count, item_size = _measure(item) if isinstance(item, Group) else (1, 1)
            count, size = count * item_count, size * item_count + item_size * count
        total_count, total_size = total_count + count, total_size + size
    return total_count, total_size


def _expand(group: Group) -> Iterable[Alternative]:
    for option in group.options:
        choices = (list(_expand(item)) if isinstance(item, Group) else [(item,)] for item in option)
        for chosen in product(*choices):
            yield tuple(chain.from_iterable(chosen))


class _Reader:
    """Reads the text once, from left to right."""

    def __init__(self, text: str, start: int, *, is_path: bool) -> None:
        self.text = text
        self.at = start
        self.is_path = is_path

    def read(self) -> Group:
        return Group(self._options("" if self.is_path else "|", depth=0))

    def _options(self, separator: str, depth: int) -> tuple[Sequence, ...]:
        options: list[Sequence] = []
        current: list[Token | Group] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "}" and depth:
                break
            if char == separator:
                options.append(tuple(current))
                current = []
                self.at += 1
            else:
                current.append(self._item(char, depth))
        return (*options, tuple(current))

    def _item(self, char: str, depth: int) -> Token | Group:
        if char in "}]":
            raise self._fault(f"has a lone '{char}'", self.at, f"write '\\{char}' for the character itself")
        if char == "{":
            return self._group(depth + 1)
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escaped()
        self.at += 1
        if char == "/" and self.is_path:
            return Token(Part.SLASH, char)
        return Token(_SIMPLE.get(char, Part.TEXT), char)

    def _escaped(self) -> Token:
        char = self.text[self.at + 1 : self.at + 2]
        if not char:
            raise self._fault("has a backslash with nothing after it", self.at, "write '\\\\' for a backslash")
        if code := code_at(self.text, self.at):
            char, self.at = code
            return Token(Part.TEXT, char)
        self.at += 2
        is_slash = char == "/" and self.is_path
        # An escaped slash separates names too; it may only stand beside an empty one.
        return Token(Part.SLASH, "\\/") if is_slash else Token(Part.TEXT, char)

    def _group(self, depth: int) -> Group:
        opened = self.at
        if depth > DEEPEST_BRACES:
            raise self._fault(f"nests braces deeper than {DEEPEST_BRACES} levels", opened, "write it flatter")
        self.at += 1
        options = self._options(",", depth)
        if self.at == len(self.text):
            raise self._fault("has a '{' that is not closed", opened, "close it with '}', or write '\\{'")
        self.at += 1
        if options == ((),):
            raise self._fault("has empty braces", opened, "fill them: '{a,b}', or write '\\{\\}'")
        return Group(options)

    def _set(self) -> Token:
        opened = self.at
        match = _SET.match(self.text, opened)
        if match is None:
            raise self._fault("has a '[' that is not closed", opened, "close it with ']', or write '\\['")
        self.at = match.end()
        negated, members = match.groups()
        if not members:
            raise self._fault("has an empty set", opened, "write '\\[' for the bracket itself")
        if members.startswith("^") and not negated:
            raise self._fault("negates a set with '^'", opened, "write '[!…]', or '\\^' for the character")
        if self.is_path and "/" in members:
            raise self._fault("has a '/' in a set", opened, "use braces: '{a/b,c}'; a set stays in one name")
        return Token(Part.SET, f"[{'^' * len(negated)}{self._members(members, opened)}]")

    def _members(self, members: str, opened: int) -> str:
        """The members in regular expression syntax."""
        return "".join(self._member(low, high, opened) for low, high in _MEMBER.findall(members))

    # The last character counts: an escaped one comes with its backslash.
    def _member(self, low: str, high: str, opened: int) -> str:
        if not high:
            return re.escape(low[-1])
        if low[-1] > high[-1]:
            fault = f"has a set with the range '{low}-{high}', which is empty"
            raise self._fault(fault, opened, "write the lower character first")
        return f"{re.escape(low[-1])}-{re.escape(high[-1])}"

    def _fault(self, fault: str, at: int, hint: str) -> Exception:
        return malformed(self.text, f"{fault} (character {at + 1})", hint)


_SET = re.compile(r"\[(!?)((?:\\.|[^\\\]])*)\]", re.DOTALL)
_MEMBER = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)

"""Parse the text of a selection into a selector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.select.ends import parse_end
from weightkit.access.select.fields import Field
from weightkit.access.select.paths import Glob, Regex
from weightkit.access.select.pattern_escape import FIELD_WORDS
from weightkit.access.select.selection_errors import malformed, refuse_absurd_length

if TYPE_CHECKING:
    from weightkit.access.select.selectors import Selector


def parse(text: str) -> Selector:
    """Read one selection; ``str`` of the result parses to the same selector.

    A field is recognized only by its exact word before the first colon, so that ``d/kernel:0`` is a path.

    Raises:
        SelectionError: If the text is malformed; the message says where, and what to write instead.

    >>> parse("encoder/**/kernel")
    Glob(text='encoder/**/kernel')
    >>> parse("role:kernel|bias") & ~parse("re:^block[12]/")
    Field(word='role', value='kernel|bias') & ~Regex(text='^block[12]/')
    """
    refuse_absurd_length(text)
    if not text:
        raise malformed(text, "is empty", "write a pattern, as in 'encoder/**/kernel'; '**' is everything")
    word, colon, value = text.partition(":")
    if not colon or word not in FIELD_WORDS:
        return Glob(text)
    if word == "re":
        return Regex(value)
    if word in {"first", "last"}:
        return parse_end(text, "first" if word == "first" else "last", value)
    return Field(word, value)

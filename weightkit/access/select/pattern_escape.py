"""Escape an address so that the selection language matches it literally."""

from __future__ import annotations

import re

from weightkit.escape import escape_cell

FIELD_WORDS = frozenset({"class", "dtype", "first", "kind", "last", "name", "rank", "re", "role", "trainable"})
"""The words that, right before the first colon, make a selection something other than a glob."""

_SPECIAL = re.compile(r"[*?\[\]{}]")


def without_field(pattern: str) -> str:
    r"""The glob, with its first colon escaped if a field's word precedes it.

    >>> print(without_field("kind:odd_layer_name"))
    kind\:odd_layer_name
    """
    word, colon, rest = pattern.partition(":")
    return f"{word}\\:{rest}" if colon and word in FIELD_WORDS else pattern


def escape_pattern(path: str) -> str:
    r"""A glob that matches ``path`` itself and what is under it, nothing else.

    Args:
        path: An address of a weight, layer or model; not empty.

    >>> print(escape_pattern("features[0]/kernel"))
    features\[0\]/kernel
    """
    # Backslashes are doubled there, and what cannot be seen is written by its code, which a selection reads.
    escaped = _SPECIAL.sub(r"\\\g<0>", escape_cell(path))
    if "" in path.split("/"):
        # A bare slash next to an empty name is refused as a mistake; an escaped one is literal.
        escaped = escaped.replace("/", "\\/")
    return without_field(escaped)

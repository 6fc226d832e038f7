"""A proposed mapping as a renaming, which loading and matching take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.select.pattern_escape import escape_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_AWAY = "unused"
"""Where layers go whose addresses others take."""


def renames(pairs: Mapping[str, str], left: Iterable[str]) -> dict[str, str]:
    r"""The entries that move layers of a source to where they are in a target; both sides are escaped.

    Args:
        pairs: Addresses of layers in the source to those in the target.
        left: The source's other layers. Where one has an address that another one gets, it makes room.

    >>> renames({"a": "b", "x[0]": "x", "same": "same"}, ["b"])
    {'a': 'b', 'x\\[0\\]': 'x', 'b/**': 'unused/b/**'}
    """
    moved = {theirs: ours for theirs, ours in pairs.items() if theirs != ours and theirs and ours}
    taken = frozenset(moved.values())
    entries = {theirs: (escape_pattern(theirs), escape_pattern(ours)) for theirs, ours in moved.items()}
    for theirs in left:
        if theirs in taken:
            key = escape_pattern(theirs)
            entries[theirs] = (f"{key}/**", f"{_AWAY}/{key}/**")
    inside = [theirs for theirs in pairs if _is_in(theirs, moved)]
    # An entry moves all that is in its layer, too: what does not move with it comes first.
    entries |= {theirs: (escape_pattern(theirs),) * 2 for theirs in inside if theirs not in moved}
    order = sorted(entries, key=lambda address: -address.count("/")) if inside else entries
    return dict(entries[theirs] for theirs in order)


def _is_in(address: str, layers: Mapping[str, str]) -> bool:
    """Whether a layer is in one of these."""
    steps = address.split("/")
    return any("/".join(steps[:depth]) in layers for depth in range(1, len(steps)))

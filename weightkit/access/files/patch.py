"""A new file that has the layout of the old one: copy what stays, overwrite what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORTH_SKIPPING = 64 << 10  # bytes; below this, copying a span that is overwritten later costs less than a call


def copy_around(
    source: int, fd: int, start: int, stop: int, changing: Sequence[tuple[int, int]], *, shift: int = 0
) -> None:
    """Copy the bytes from ``start`` to ``stop`` but for the large spans that will be written anew.

    Args:
        source: The open file in which the bytes are.
        fd: Where they go, ``shift`` bytes further on.
        start: The first byte.
        stop: The byte after the last.
        changing: Offset and length in bytes of each span that will be overwritten.
        shift: How much further on in the new file everything lies.
    """
    for first, last in _ranges_to_copy(start, stop, changing):
        copy_range(source, fd, first, last, shift=shift)


def _ranges_to_copy(start: int, stop: int, changing: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    done = start
    for place, length in sorted(changing):
        if length >= _WORTH_SKIPPING:
            yield done, place
            done = place + length
    yield done, stop

"""Where in a file headers of objects may be: told by the first bytes, block by block."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.files.holes import data_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.salvage.structure.window import Window

_BLOCK = 4 << 20  # bytes that are looked at at once
_OVERLAP = 32  # bytes of the next block that the last candidate may reach into
_STEP = 8  # headers of version 1 start at multiples of it
_MOST_MESSAGES, _MOST_LINKS, _LARGEST = 1 << 14, 1 << 16, 32 << 20
_NEW = b"OHDR\2"


def header_places(window: Window) -> Iterator[int]:
    """Addresses where a header may start, in ascending order within each block of the file."""
    start = window.body.start + window.base
    for first, stop in data_in(window.body.fd, start, start + window.length):
        for block in range((first - start) // _STEP * _STEP, stop - start, _BLOCK):
            count = min(_BLOCK + _OVERLAP, window.length - block)
            content = os.pread(window.body.fd, count, start + block)
            most = min(_BLOCK, stop - start - block)
            yield from (block + place for place in sorted({*_old(content), *_new(content)}) if place < most)


def _old(content: bytes) -> list[int]:
    """Offsets of what starts like a header of version 1: version, messages, links, bytes, and the first message."""
    words = np.frombuffer(content[: len(content) // _STEP * _STEP], "<u8")
    if len(words) < 3:  # noqa: PLR2004  # two words of the header, one of the first message
        return []
    first, second, third = words[:-2], words[1:-1], words[2:]
    # Each test looks at what the one before left over: most words fail the first.
    places = np.flatnonzero((first & np.uint64(0xFFFF)) == 1)
    first, second, third = first[places], second[places], third[places]
    messages, links = first >> np.uint64(16) & np.uint64(0xFFFF), first >> np.uint64(32)
    fits = (messages > 0) & (messages < _MOST_MESSAGES) & (links > 0) & (links < _MOST_LINKS)
    fits &= (second > 0) & (second < _LARGEST) & (second % np.uint64(_STEP) == 0)
    # The first message: its kind, bytes in steps of eight, three zeros at its end.
    fits &= (third & np.uint64(0xFFFF)) <= 0x18  # noqa: PLR2004
    fits &= ((third >> np.uint64(16)) & np.uint64(7) == 0) & (third >> np.uint64(40) == 0)
    return (places[fits] * _STEP).tolist()  # type: ignore[no-any-return]


def _new(content: bytes) -> Iterator[int]:
    """Offsets of the signature of a header of version 2, which may start anywhere."""
    place = content.find(_NEW)
    while place >= 0:
        yield place
        place = content.find(_NEW, place + 1)

"""Datasets found by their headers: their type and shape, and where their values are.

HDF5 File Format Specification 3.0, IV.A.2.i (data layout), IV.A.2.l (filter pipeline), III.A.1 (B-trees of chunks).
"""

from __future__ import annotations

import math
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.hdf5.chunks import Chunk
from weightkit.access.hdf5.filters import Filter
from weightkit.access.salvage.structure.object_header import FILTERS, LAYOUT, SPACE, TYPE, Header, Message
from weightkit.access.salvage.structure.stored_types import shape_of, type_of
from weightkit.access.salvage.structure.window import UNDEFINED, Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.salvage.structure.attributes import Text
    from weightkit.access.salvage.structure.window import Window

COMPACT, CONTIGUOUS, CHUNKED = 0, 1, 2
_LAYOUTS, _CHUNKED_LAYOUT = (3, 4), 3  # versions; later ones have other tables of chunks
_LARGEST = 1 << 59  # elements, as the index of a sound file allows
_NODE = struct.Struct("<4sBBHQQ")  # signature, kind of tree, level, entries, siblings
_FILTER_NAMES = {1: "deflate", 2: "shuffle", 3: "fletcher32"}
_FIRST_NAMED = 256  # filters from this number on have a name in version 2
_MOST_FILTERS = 32


@dataclass(frozen=True, slots=True)
class FoundDataset:
    """A dataset whose header checks out; its values may be damaged or outside the file."""

    address: int
    shape: tuple[int, ...]
    dtype: str
    """NumPy's code, or a name in angle brackets."""
    element: int
    layout: int
    offset: int
    """The address of its values, or of the table of its chunks; `UNDEFINED` if they were never written."""
    size: int
    """Bytes of its values; of one in chunks, as they are when decoded."""
    attributes: Mapping[str, Text | None]
    chunk: tuple[int, ...] = ()
    filters: tuple[Filter, ...] = ()


def is_dataset(header: Header) -> bool:
    """Whether an object is a dataset."""
    return {SPACE, TYPE, LAYOUT} <= {message.kind for message in header.messages}


def dataset_of(header: Header, attributes: Mapping[str, Text | None]) -> FoundDataset:
    """The dataset that a header describes.

    Raises:
        Malformed: It contradicts itself, or its values are stored in a way that is not searched.
    """
    space, kind, layout = (header.only(which) for which in (SPACE, TYPE, LAYOUT))
    if space is None or kind is None or layout is None:
        raise Malformed("its header is incomplete")
    shape, (dtype, element) = shape_of(space.content), type_of(kind.content)
    if shape is None or math.prod(axis or 1 for axis in shape) > _LARGEST:
        raise Malformed("it has no shape of an array")
    size = math.prod(shape) * element
    form, offset, chunk = _layout(layout, shape, element, size)
    filters = _filters(header.only(FILTERS))
    if filters and form != CHUNKED:
        raise Malformed("it has filters, but no chunks")
    return FoundDataset(header.address, shape, dtype, element, form, offset, size, attributes, chunk, filters)


def _layout(message: Message, shape: tuple[int, ...], element: int, size: int) -> tuple[int, int, tuple[int, ...]]:
    """Its class, the address of the values or of the chunks' table, and the chunk's shape."""
    content = message.content
    if len(content) < 4 or content[0] not in _LAYOUTS:  # noqa: PLR2004  # version, class, and the shortest rest
        raise Malformed("where its values are is said in a way that is not read")
    if content[1] == COMPACT:
        if int.from_bytes(content[2:4], "little") != size or 4 + size > len(content):
            raise Malformed("its values have the wrong size")
        return COMPACT, message.place + 4, ()
    if content[1] == CONTIGUOUS and len(content) >= 18:  # noqa: PLR2004  # version, class, address, bytes
        offset, stored = struct.unpack_from("<QQ", content, 2)
        if stored != size and offset != UNDEFINED:
            raise Malformed("its values have the wrong size")
        return CONTIGUOUS, offset, ()
    if content[1] == CHUNKED and content[0] == _CHUNKED_LAYOUT:
        return CHUNKED, *_chunked(content, shape, element)
    raise Malformed("where its values are is said in a way that is not read")


def _chunked(content: bytes, shape: tuple[int, ...], element: int) -> tuple[int, tuple[int, ...]]:
    axes = content[2]
    if axes != len(shape) + 1 or len(content) < 11 + 4 * axes:
        raise Malformed("its chunks are damaged")
    *chunk, last = struct.unpack_from(f"<{axes}I", content, 11)
    if last != element or min(chunk, default=0) < 1:
        raise Malformed("its chunks are damaged")
    return int.from_bytes(content[3:11], "little"), tuple(chunk)


def _filters(message: Message | None) -> tuple[Filter, ...]:
    if message is None:
        return ()
    content = message.content
    if len(content) < 2 or content[0] not in (1, 2) or content[1] > _MOST_FILTERS:  # noqa: PLR2004
        raise Malformed("its filters are damaged")
    place, found = (8 if content[0] == 1 else 2), []
    for _ in range(content[1]):
        step, place = _filter(content, place, old=content[0] == 1)
        found.append(step)
    return tuple(found)


def _filter(content: bytes, place: int, *, old: bool) -> tuple[Filter, int]:
    """One filter, and where the next one is."""
    try:
        (code,) = struct.unpack_from("<H", content, place)
        named = old or code >= _FIRST_NAMED
        head = struct.unpack_from("<HHH" if named else "<HH", content, place + 2)
        name, count = (head[0] if named else 0), head[-1]
        place += 2 + 2 * len(head) + (-(-name // 8) * 8 if old else name)
        options = struct.unpack_from(f"<{count}I", content, place)
    except struct.error:
        raise Malformed("its filters are damaged") from None
    if code not in _FILTER_NAMES:
        raise Malformed(f"its values went through filter {code}, which is not known here")
    return Filter(_FILTER_NAMES[code], options[0] if options else 0), place + 4 * (count + (count % 2 if old else 0))


def chunks_of(window: Window, dataset: FoundDataset, most: int) -> tuple[list[Chunk], list[str]]:
    """The chunks that the table names, at most so many, and why parts of it could not be read."""
    found: list[Chunk] = []
    lost: list[str] = []
    waiting: deque[tuple[int, int | None]] = deque([(dataset.offset, None)])
    seen: set[int] = set()
    while waiting:
        address, level = waiting.popleft()
        try:
            _require_new(address, seen, found, most)
            level, keys, children = _node(window, address, level, len(dataset.shape))
        except Malformed as error:
            lost.append(str(error))
            continue
        if level:
            waiting.extend((child, level - 1) for child in children)
        else:
            for (size, mask, *at), child in zip(keys, children, strict=True):
                found.append(Chunk(tuple(at[:-1]), mask, child, size))
    return found, lost


def _require_new(address: int, seen: set[int], found: list[Chunk], most: int) -> None:
    if address in seen or len(found) > most:
        raise Malformed("the table of its chunks is damaged")
    seen.add(address)


def _node(window: Window, address: int, wanted: int | None, axes: int) -> tuple[int, list[tuple[int, ...]], list[int]]:
    what = "the table of its chunks"
    signature, kind, level, count, *_ = _NODE.unpack(window.read(address, _NODE.size, what))
    if signature != b"TREE" or kind != 1 or (wanted is not None and level != wanted):
        raise Malformed(f"{what} is damaged")
    key = struct.Struct(f"<II{axes + 1}Q")
    step = key.size + 8
    content = window.read(address + _NODE.size, step * count, what)
    window.keep(address, _NODE.size + len(content))
    keys = [key.unpack_from(content, place) for place in range(0, len(content), step)]
    children = [int.from_bytes(content[place - 8 : place], "little") for place in range(step, len(content) + 1, step)]
    return level, keys, children

"""The contents of an HDF5 file: every object, its type, its attributes, and where its bytes are.

Only the reading process imports this module. It reads no dataset's values, follows no link out of the file and
refuses, with a reason, whatever is not plain data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from h5py import h5d, h5f, h5g, h5l, h5o

from weightkit.access.hdf5.child.attributes import attributes_of, text_of
from weightkit.access.hdf5.child.dataset_record import Source, dataset_records
from weightkit.access.hdf5.child.file_part import Part, open_for_reading
from weightkit.access.hdf5.child.headers import LONGEST, is_plain_group, messages_of, plain_dataset
from weightkit.access.hdf5.child.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}
# The same words as `dataset_records` has: replies on two files are compared byte for byte.
_PLAIN_DATASET: Json = {"layout": "contiguous", "filters": [], "attributes": [], "form": "order 0", "fill": ""}
_NO_LINK = (b"", 0, 0)


class _Walked(NamedTuple):
    """A group with links that are still to be followed."""

    group: h5g.GroupID
    links: Iterator[tuple[bytes, int, int]]
    """Name, kind, and address counted from the end of the user block."""
    path: str
    above: tuple[int, ...]
    """The addresses of the groups around it and its own."""


def scan(descriptor: int, start: int, length: int, limits: Json) -> Iterator[Json]:
    """Records of all objects, parents before children.

    Raises:
        Refusal: Something in the file is not plain data.
    """
    part = Part(descriptor, start, length)
    return _walk(open_for_reading(part), part, limits)


def _walk(file: h5f.FileID, part: Part, limits: Json) -> Iterator[Json]:
    """Depth first, without recursion; an object met again is an alias, a group inside itself is a cycle.

    Every object is opened once, and read while the library still has its surroundings in memory; at most one group
    per level is open at a time.
    """
    creation = file.get_create_plist()
    sizes = creation.get_sizes()  # bytes of an address and of a length
    base = creation.get_userblock()  # HDF5 counts addresses from there, and offsets of values from 0
    usual = base == 0 and sizes == (8, 8)  # as headers.py reads
    source = Source(file, part, int(sizes[0]), limits)
    root = h5g.open(file, b"/")
    seen: dict[int, str] = {}
    place = base + h5o.get_info(root).addr
    _admit(seen, place, "", limits)
    yield _group(root, "", place, limits)
    stack = [_Walked(root, _links(root), "", (place,))]
    while stack:
        above = stack[-1]
        name, kind, at = next(above.links, _NO_LINK)
        if not name:
            stack.pop()
            continue
        path, place = f"{above.path}/{text_of(name)}" if above.path else text_of(name), base + at
        _require_followable(kind, place, path, above)
        if place in seen:
            yield {"path": path, "type": "alias", "of": seen[place]}
            continue
        _admit(seen, place, path, limits)
        messages = messages_of(part.peek(place, LONGEST)) if usual else []
        if known := plain_dataset(messages):
            yield {"path": path, "type": "dataset", "address": place} | _PLAIN_DATASET | known
            continue
        child = h5o.open(above.group, name)
        if isinstance(child, h5d.DatasetID):
            yield from dataset_records(child, path, place, source)
            continue
        yield _group(child, path, place, limits, plain=is_plain_group(messages))
        if len(above.above) > limits["depth"]:
            raise Refusal("unsafe", path, f"its groups are nested more than {limits['depth']} levels deep")
        stack.append(_Walked(child, _links(child), path, (*above.above, place)))


def _require_followable(kind: int, place: int, path: str, above: _Walked) -> None:
    if kind != h5l.TYPE_HARD:
        raise Refusal("unsafe", path, f"it is {_LINKS.get(kind, 'a link of a kind that plugins define')}")
    if place in above.above:
        raise Refusal("unsafe", path, "its groups contain each other in a cycle")


def _admit(seen: dict[int, str], address: int, path: str, limits: Json) -> None:
    seen[address] = path
    if len(seen) > limits["objects"]:
        raise Refusal("unsafe", path, f"the file holds more than {limits['objects']} objects")


def _links(group: h5g.GroupID) -> Iterator[tuple[bytes, int, int]]:
    links: list[tuple[bytes, int, int]] = []
    group.links.iterate(lambda name, link: links.append((name, link.type, link.u)), info=True)
    return iter(links)


def _group(group: Any, path: str, address: int, limits: Json, *, plain: bool = False) -> Json:
    if not isinstance(group, h5g.GroupID):
        raise Refusal("unsupported", path, "it is a named datatype")
    return {
        "path": path,
        "type": "group",
        "address": address,
        "attributes": [] if plain else attributes_of(group, path, limits),
        "form": "order 0 0" if plain else _group_form(group),
    }


def _group_form(group: h5g.GroupID) -> str:
    creation = group.get_create_plist()
    return f"order {creation.get_link_creation_order()} {creation.get_attr_creation_order()}"

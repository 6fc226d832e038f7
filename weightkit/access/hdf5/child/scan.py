"""The contents of an HDF5 file: every object, its type, its attributes, and where its bytes are.

Only the reading process imports this module. It reads no dataset's values, follows no link out of the file and
refuses, with a reason, whatever is not plain data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from h5py import h5d, h5f, h5g, h5l, h5o

from weightkit.access.hdf5.child.attributes import attributes_of, text_of, within
from weightkit.access.hdf5.child.damage import Damage, contents_of
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
        Refusal: Something in the file is not plain data, or cannot be read.
    """
    part = Part(descriptor, start, length)
    return within(length, _Walk(open_for_reading(part), part, limits).records())


class _Walk:
    """One walk over a file: depth first, without recursion.

    An object met again is an alias, a group inside itself is a cycle. Every object is opened once, and read while the
    library still has its surroundings in memory; at most one group per level is open at a time.
    """

    def __init__(self, file: h5f.FileID, part: Part, limits: Json) -> None:
        creation = file.get_create_plist()
        sizes = creation.get_sizes()  # bytes of an address and of a length
        self._base = creation.get_userblock()  # HDF5 counts addresses from there, and offsets of values from 0
        self._usual = self._base == 0 and sizes == (8, 8)  # as headers.py reads
        self._source = Source(file, part, int(sizes[0]), limits)
        self._limits, self._damage = limits, Damage()
        self._seen: dict[int, str] = {}
        self._stack: list[_Walked] = []

    def records(self) -> Iterator[Json]:
        """Records of all objects; a part that cannot be read is refused after all that can."""
        root = h5g.open(self._source.file, b"/")
        place = self._base + h5o.get_info(root).addr
        _admit(self._seen, place, "", self._limits)
        yield from self._group(root, "", place)
        while self._stack:
            above = self._stack[-1]
            name, kind, at = next(above.links, _NO_LINK)
            if not name:
                self._stack.pop()
                continue
            path, place = f"{above.path}/{text_of(name)}" if above.path else text_of(name), self._base + at
            _require_followable(kind, place, path, above)
            if place in self._seen:
                yield {"path": path, "type": "alias", "of": self._seen[place]}
                continue
            _admit(self._seen, place, path, self._limits)
            with self._damage.at(path):
                yield from self._object(above.group, name, path, place)
        self._damage.require_none()

    def _object(self, home: h5g.GroupID, name: bytes, path: str, place: int) -> Iterator[Json]:
        messages = messages_of(self._source.part.peek(place, LONGEST)) if self._usual else []
        if known := plain_dataset(messages):
            self._damage.weights += 1
            yield {"path": path, "type": "dataset", "address": place} | _PLAIN_DATASET | known
            return
        child = h5o.open(home, name)
        if isinstance(child, h5d.DatasetID):
            yield from dataset_records(child, path, place, self._source)
            self._damage.weights += 1
            return
        if len(self._stack) > self._limits["depth"]:
            raise Refusal("unsafe", path, f"its groups are nested more than {self._limits['depth']} levels deep")
        yield from self._group(child, path, place, plain=is_plain_group(messages))

    def _group(self, group: Any, path: str, place: int, *, plain: bool = False) -> Iterator[Json]:
        record = _group(group, path, place, self._limits, plain=plain)
        yield record
        above = self._stack[-1].above if self._stack else ()
        with self._damage.at(contents_of(record)):
            self._stack.append(_Walked(group, _links(group), path, (*above, place)))


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

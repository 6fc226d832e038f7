"""The contents of an HDF5 file: every object, its type, its attributes, and where its bytes are.

Only the reading process imports this module. It reads no dataset's values, follows no link out of the file and
refuses, with a reason, whatever is not plain data.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5p, h5s, h5t, h5z

from weightkit.access.hdf5.child.file_part import Part, open_for_reading
from weightkit.access.hdf5.child.headers import LONGEST, is_plain_group, messages_of, plain_dataset
from weightkit.access.hdf5.child.type_names import refers, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

# What the parent decodes itself; any other filter may be a plugin, which is code.
_SAFE_FILTERS = {
    h5z.FILTER_DEFLATE: "deflate",
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_FLETCHER32: "fletcher32",
}
_LAYOUTS = {h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.COMPACT: "compact"}
_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}
# The same words as `_dataset` has: replies on two files are compared byte for byte.
_PLAIN_DATASET: Json = {"layout": "contiguous", "filters": [], "attributes": [], "form": "order 0", "fill": ""}
_NO_LINK = (b"", 0, 0)
_EDGES = 3  # superblock version from which chunks over the edge may be stored without filters
_TEXT = h5py.string_dtype()


class Refusal(Exception):  # noqa: N818  # it is a reply, not an error of this program
    """The file is refused: the class of error, where in the file, and why."""

    def __init__(self, error: str, path: str, why: str) -> None:
        super().__init__(error, path, why)
        self.record = {"refuse": error, "path": path, "why": why}


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
    base = creation.get_userblock()  # HDF5 counts addresses from there, and offsets of values from 0
    usual = base == 0 and creation.get_sizes() == (8, 8)  # bytes of an address and of a length, as headers.py reads
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
            yield _dataset(child, path, place, limits)
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
        "attributes": [] if plain else _attributes(group, path, limits),
        "form": "order 0 0" if plain else _group_form(group),
    }


def _dataset(dataset: h5d.DatasetID, path: str, address: int, limits: Json) -> Json:
    creation = dataset.get_create_plist()
    layout, fill = _layout(creation, path), fill_value(dataset, creation)
    size = dataset.get_storage_size()
    lies = layout == "contiguous" and size > 0  # HDF5 1.14.6: without space it has an offset too after a user block
    return {
        "path": path,
        "type": "dataset",
        "address": address,
        "shape": _shape(dataset.get_space()),
        "dtype": type_name(dataset.get_type()),
        "layout": layout,
        "filters": _filters(creation, path) if layout == "chunked" else [],
        "offset": dataset.get_offset() if lies else None,
        "size": size,
        "attributes": _attributes(dataset, path, limits),
        "form": _dataset_form(dataset, creation, layout),
        "fill": "" if fill is None else fill.tobytes().hex(),
    }


def _group_form(group: h5g.GroupID) -> str:
    creation = group.get_create_plist()
    return f"order {creation.get_link_creation_order()} {creation.get_attr_creation_order()}"


def _dataset_form(dataset: h5d.DatasetID, creation: h5p.PropDCID, layout: str) -> str:
    form = f"order {creation.get_attr_creation_order()}"
    if layout == "chunked":
        steps = [creation.get_filter(number) for number in range(creation.get_nfilters())]
        options = [options for code, _, options, _ in steps if code != h5z.FILTER_SHUFFLE]  # that is the type's size
        grows = dataset.get_space().get_simple_extent_dims(maxdims=True)
        form += f" grows {grows} chunks {creation.get_chunk()} filters {options}"
    return form


def fill_value(dataset: h5d.DatasetID, creation: h5p.PropDCID) -> np.ndarray | None:
    """The fill value for values never written; None if the file has none."""
    if creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED or type_name(dataset.get_type()).endswith(">"):
        return None
    fill = np.zeros((), dtype=dataset.dtype)
    creation.get_fill_value(fill)
    return fill


def _layout(creation: h5p.PropDCID, path: str) -> str:
    if creation.get_external_count():
        raise Refusal("unsafe", path, "it keeps its values in another file (external storage)")
    layout = creation.get_layout()
    if layout not in _LAYOUTS:
        raise Refusal("unsafe", path, "it takes its values from other datasets (a virtual dataset)")
    return _LAYOUTS[layout]


def _filters(creation: h5p.PropDCID, path: str) -> list[str]:
    codes = [creation.get_filter(number)[0] for number in range(creation.get_nfilters())]
    for code in codes:
        if code not in _SAFE_FILTERS:
            raise Refusal(
                "unsupported",
                path,
                f"it is compressed with filter {code}, not deflate, shuffle or fletcher32",
            )
    return [_SAFE_FILTERS[code] for code in codes]


def compact(descriptor: int, start: int, length: int, path: str) -> Iterator[Json]:
    """The raw values that a dataset stores in its header."""
    file = open_for_reading(Part(descriptor, start, length))  # closing it closes what is open in it
    dataset = h5d.open(file, path.encode("utf-8", "surrogateescape"))
    kind = dataset.get_type()
    values = np.empty(dataset.shape, dtype=f"V{kind.get_size()}")
    dataset.read(h5s.ALL, h5s.ALL, values, mtype=kind)
    # As text, since replies are JSON; HDF5 allows no more than 64 KiB in a header.
    yield {"values": values.tobytes().hex()}


def chunks(descriptor: int, start: int, length: int, path: str) -> Iterator[Json]:
    """Where one dataset's chunks are, its filter pipeline, and the bytes of its fill value."""
    part = Part(descriptor, start, length)
    file = open_for_reading(part)  # closing it closes what is open in it
    dataset = h5d.open(file, path.encode("utf-8", "surrogateescape"))
    creation = dataset.get_create_plist()
    steps = [creation.get_filter(number) for number in range(creation.get_nfilters())]
    fill = fill_value(dataset, creation)
    _require_telling(file, dataset, creation, path)
    yield {
        "chunk": list(creation.get_chunk()),
        "filters": [[_SAFE_FILTERS[code], int(options[0]) if options else 0] for code, _, options, _ in steps],
        "fill": (bytes(dataset.get_type().get_size()) if fill is None else fill.tobytes()).hex(),
    }
    found = stored_chunks(dataset)
    shift = _shift(file, dataset, found, part) if found else 0
    for info in found:
        place = None if info.byte_offset is None else shift + info.byte_offset
        yield {"at": list(info.chunk_offset), "mask": info.filter_mask, "offset": place, "size": info.size}


def _require_telling(file: h5f.FileID, dataset: h5d.DatasetID, creation: h5p.PropDCID, path: str) -> None:
    """Refuse chunks that may be stored with or without shuffle, with no way to know.

    In the HDF5 1.10 format, chunks that reach over the edge may be stored without filters. Deflate and checksums
    then fail; shuffle alone would silently mix up the bytes.
    """
    alone = creation.get_nfilters() == 1 and creation.get_filter(0)[0] == h5z.FILTER_SHUFFLE
    over = any(axis % step for axis, step in zip(dataset.shape, creation.get_chunk(), strict=True))
    if alone and over and file.get_create_plist().get_version()[0] >= _EDGES:
        raise Refusal("unsupported", path, "its chunks are shuffled and not compressed, in a format that may not do so")


def stored_chunks(dataset: h5d.DatasetID) -> list[Any]:
    """What the library knows about every chunk; asking by index, as h5py for HDF5 1.10 must, takes quadratic time."""
    found: list[Any] = []
    if hasattr(dataset, "chunk_iter"):
        dataset.chunk_iter(found.append)
        return found
    return [dataset.get_chunk_info(number) for number in range(dataset.get_num_chunks())]


def _shift(file: h5f.FileID, dataset: h5d.DatasetID, found: list[Any], part: Part) -> int:
    """What to add to the offsets of chunks: up to HDF5 1.14.1 they are counted from the end of the user block."""
    first = found[0]
    _, content = dataset.read_direct_chunk(first.chunk_offset)
    for shift in (0, int(file.get_create_plist().get_userblock())):
        part.seek(shift + first.byte_offset)
        if part.read(first.size) == content:
            return shift
    raise Refusal("damaged", "/", "its chunks are not where the file says")


def _shape(space: h5s.SpaceID) -> list[int] | None:
    """Lengths of the axes in elements; None for a null dataspace."""
    return None if space.get_simple_extent_type() == h5s.NULL else list(space.shape)


def _attributes(owner: Any, path: str, limits: Json) -> list[list[Any]]:
    """``[name, digest, value]`` of each, by name; the value is there for text and lists of text, else None.

    The digest is empty where the value refers to other places in the file.
    """
    found = []
    names: list[bytes] = []
    h5a.iterate(owner, names.append)  # opening thousands by index takes quadratic time
    for stored in sorted(names):
        attribute, name = h5a.open(owner, stored), text_of(stored)
        space, kind = attribute.get_space(), attribute.get_type()
        size = space.get_simple_extent_npoints() * kind.get_size()
        # An attribute that declares too much is refused below, without reading it.
        digest, value = _attribute(attribute, kind, _shape(space)) if size <= limits["attribute"] else ("", None)
        if max(size, _length(value)) > limits["attribute"]:
            raise Refusal("unsafe", path, f"its attribute {name} has more than {limits['attribute']} bytes")
        found.append([name, digest, value])
    return found


def _length(value: str | list[str] | None) -> int:
    """Characters of text; text of variable length is stored outside its attribute, and may be longer."""
    return len(value or "") if isinstance(value, str | None) else sum(map(len, value))


def _attribute(attribute: h5a.AttrID, kind: h5t.TypeID, shape: list[int] | None) -> tuple[str, Any]:
    family = kind.get_class()
    if shape is None or 0 in shape:
        return _digest(kind, shape, b""), [] if family == h5t.STRING else None
    if family == h5t.STRING:
        texts = [text_of(item) for item in attribute_values(attribute, kind, shape).reshape(-1)]
        joined = "\0".join(texts).encode("utf-8", "surrogateescape")
        return _digest(kind, shape, joined), texts if shape else texts[0]
    if refers(kind):
        return "", None
    return _digest(kind, shape, attribute_values(attribute, kind, shape).tobytes()), None


def attribute_values(attribute: h5a.AttrID, kind: h5t.TypeID, shape: list[int]) -> np.ndarray:
    """The value of an attribute: text as Python's objects or bytes, all else as raw bytes of its own type."""
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        values = np.empty(shape, dtype=_TEXT)
        attribute.read(values)
        return values
    letter = "S" if kind.get_class() == h5t.STRING else "V"
    values = np.empty(shape, dtype=f"{letter}{kind.get_size()}")
    attribute.read(values, mtype=kind)
    return values


def text_of(value: Any) -> str:
    """Text of a name or value; bytes that are not UTF-8 become lone surrogates."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _digest(kind: h5t.TypeID, shape: list[int] | None, content: bytes) -> str:
    tag = f"{type_name(kind)} {kind.get_size()} {shape} ".encode()
    return hashlib.blake2b(tag + content, digest_size=16).hexdigest()

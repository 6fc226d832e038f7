"""What lies in an HDF5 file: every object, its type, its attributes, and where its bytes are.

Only the reading process imports this module. It reads no dataset's values, follows no link out of the file and
refuses, with a reason, whatever is not plain data.
"""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5, h5a, h5d, h5f, h5g, h5l, h5o, h5p, h5s, h5t, h5z

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_SAFE_FILTERS = {
    h5z.FILTER_DEFLATE: "deflate",
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_FLETCHER32: "fletcher32",
}
_LAYOUTS = {h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.COMPACT: "compact"}
_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}
_FLOATS = {
    2: (h5t.IEEE_F16LE, h5t.IEEE_F16BE),
    4: (h5t.IEEE_F32LE, h5t.IEEE_F32BE),
    8: (h5t.IEEE_F64LE, h5t.IEEE_F64BE),
}
_CACHE = (1 << 20, 1 << 20, 2 << 20)  # bytes: at first, at least, at most
_INTEGER_SIZES = {1, 2, 4, 8}
_BOOLEAN = {b"FALSE": 0, b"TRUE": 1}


class Refusal(Exception):  # noqa: N818  # it is an answer, not a fault of this program
    """The file is refused: which class of error, where in the file, and why."""

    def __init__(self, error: str, path: str, why: str) -> None:
        super().__init__(error, path, why)
        self.record = {"refuse": error, "path": path, "why": why}


class Part(io.RawIOBase):
    """A part of an open file as a file of its own, so that a member of an archive is read where it lies."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        super().__init__()
        self._descriptor, self._start, self._length = descriptor, start, length
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset`` bytes from the start, the position or the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, with zeros past the end: libhdf5 would otherwise see stale memory."""
        view = memoryview(buffer).cast("B")
        inside = max(0, min(len(view), self._length - self._position))
        done = 0
        while done < inside:
            count = os.preadv(self._descriptor, [view[done:inside]], self._start + self._position + done)
            if count == 0:
                break
            done += count
        view[done:] = bytes(len(view) - done)
        self._position += len(view)
        return len(view)


def versions() -> Json:
    """Versions of h5py and of the HDF5 library it carries."""
    return {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version}


def scan(descriptor: int, start: int, length: int, limits: Json) -> Iterator[Json]:
    """Records of all objects, parents before children; the last one says how it ended."""
    count = 0
    try:
        file = _open(Part(descriptor, start, length))
        for record in _walk(file, limits):
            count += 1
            yield record
    except Refusal as refusal:
        yield refusal.record
    except MemoryError:
        yield {"refuse": "unsafe", "path": "/", "why": f"reading it takes more than {limits['memory']} bytes"}
    except Exception as error:  # noqa: BLE001  # h5py raises every class there is for a damaged file
        yield {
            "refuse": "damaged",
            "path": "/",
            "why": " ".join(f"{type(error).__name__}: {error}".split())[:500],
        }
    else:
        yield {"end": count}


def _open(part: Part) -> h5f.FileID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, part)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    cache = access.get_mdc_config()
    # Left alone, the library's cache of object headers grows to 60 MB over 10,000 weights that are looked at once.
    cache.set_initial_size, cache.initial_size, cache.min_size, cache.max_size = True, *_CACHE
    access.set_mdc_config(cache)
    return h5f.open(b"scanned", h5f.ACC_RDONLY, fapl=access)


def _walk(file: h5f.FileID, limits: Json) -> Iterator[Json]:
    """Depth first, without recursion; an object met again is an alias, a group met in itself a cycle."""
    base = file.get_create_plist().get_userblock()  # HDF5 counts addresses from there, and offsets of values from 0
    seen: dict[int, str] = {}
    # Groups wait by name: an open one costs libhdf5 some 10 KB, and there may be thousands side by side.
    stack: list[tuple[Any, bytes, str, tuple[int, ...]]] = [(file, b"/", "", ())]
    while stack:
        home, own_name, path, above = stack.pop()
        group = h5g.open(home, own_name)
        address = base + h5o.get_info(group).addr
        if address in above:
            raise Refusal("unsafe", path, "its groups contain each other in a circle")
        if address in seen:
            yield {"path": path, "type": "alias", "of": seen[address]}
            continue
        _admit(seen, address, path, limits)
        yield {
            "path": path,
            "type": "group",
            "address": address,
            "attributes": _attributes(group, path, limits),
        }
        if len(above) > limits["depth"]:
            raise Refusal("unsafe", path, f"its groups are nested more than {limits['depth']} levels deep")
        below = []
        for child, name, child_path in _children(group, path):
            place = base + h5o.get_info(child).addr
            if isinstance(child, h5g.GroupID):
                below.append((group, name, child_path, (*above, address)))
            elif place in seen:
                yield {"path": child_path, "type": "alias", "of": seen[place]}
            else:
                _admit(seen, place, child_path, limits)
                yield _dataset(child, child_path, place, limits)
        stack.extend(reversed(below))


def _admit(seen: dict[int, str], address: int, path: str, limits: Json) -> None:
    seen[address] = path
    if len(seen) > limits["objects"]:
        raise Refusal("unsafe", path, f"the file holds more than {limits['objects']} objects")


def _children(group: h5g.GroupID, path: str) -> Iterator[tuple[Any, bytes, str]]:
    links: list[tuple[bytes, int]] = []
    group.links.iterate(lambda name, link: links.append((name, link.type)), info=True)
    for name, link in links:
        child_path = f"{path}/{_text(name)}" if path else _text(name)
        if link != h5l.TYPE_HARD:
            raise Refusal("unsafe", child_path, f"it is {_LINKS.get(link, 'a link of a kind that plugins define')}")
        child = h5o.open(group, name)
        if not isinstance(child, h5g.GroupID | h5d.DatasetID):
            raise Refusal("unsupported", child_path, "it is a named datatype")
        yield child, name, child_path


def _dataset(dataset: h5d.DatasetID, path: str, address: int, limits: Json) -> Json:
    creation = dataset.get_create_plist()
    layout = _layout(creation, path)
    return {
        "path": path,
        "type": "dataset",
        "address": address,
        "shape": _shape(dataset.get_space()),
        "dtype": type_name(dataset.get_type()),
        "layout": layout,
        "filters": _filters(creation, path) if layout == "chunked" else [],
        "offset": dataset.get_offset() if layout == "contiguous" else None,
        "size": dataset.get_storage_size(),
        "attributes": _attributes(dataset, path, limits),
    }


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


def _shape(space: h5s.SpaceID) -> list[int] | None:
    """Lengths of the axes in elements; None for a dataspace that holds nothing at all."""
    return None if space.get_simple_extent_type() == h5s.NULL else list(space.shape)


def type_name(kind: h5t.TypeID) -> str:
    """NumPy's letter code of a plain number, boolean or 2-byte opaque type, else a name in angle brackets."""
    size, family = kind.get_size(), kind.get_class()
    if family == h5t.FLOAT and kind in _FLOATS.get(size, ()):
        return f"{'<' if kind == _FLOATS[size][0] else '>'}f{size}"
    if family == h5t.INTEGER and size in _INTEGER_SIZES and kind.get_precision() == size * 8:
        sign = "i" if kind.get_sign() == h5t.SGN_2 else "u"
        return f"{'>' if kind.get_order() == h5t.ORDER_BE else '<'}{sign}{size}"
    if family == h5t.ENUM and size == 1 and _members(kind) == _BOOLEAN:
        return "|b1"
    if family == h5t.OPAQUE:
        return f"|V{size}"
    names = {
        h5t.STRING: "text",
        h5t.COMPOUND: "compound",
        h5t.VLEN: "variable length",
        h5t.REFERENCE: "reference",
        h5t.ENUM: "enumeration",
        h5t.ARRAY: "array",
        h5t.BITFIELD: "bit field",
        h5t.TIME: "time",
    }
    return f"<{names.get(family, 'number of an unusual form')}>"


def _members(kind: h5t.TypeEnumID) -> dict[bytes, int]:
    return {kind.get_member_name(i): kind.get_member_value(i) for i in range(kind.get_nmembers())}


def _attributes(owner: Any, path: str, limits: Json) -> list[list[Any]]:
    """``[name, digest, value]`` of each, by name; the value is there for text and lists of text, else None."""
    found = []
    for number in range(h5a.get_num_attrs(owner)):
        attribute = h5a.open(owner, index=number, index_type=h5.INDEX_NAME, order=h5.ITER_INC)
        name = _text(attribute.name)
        space, kind = attribute.get_space(), attribute.get_type()
        size = space.get_simple_extent_npoints() * kind.get_size()
        digest, value = _attribute(attribute, kind, _shape(space)) if size <= limits["attribute"] else ("", None)
        if max(size, _length(value)) > limits["attribute"]:
            raise Refusal("unsafe", path, f"its attribute {name} has more than {limits['attribute']} bytes")
        found.append([name, digest, value])
    return found


def _length(value: str | list[str] | None) -> int:
    """Characters of text; that of variable length lies outside its attribute, and may be longer."""
    return len(value or "") if isinstance(value, str | None) else sum(map(len, value))


def _attribute(attribute: h5a.AttrID, kind: h5t.TypeID, shape: list[int] | None) -> tuple[str, Any]:
    family = kind.get_class()
    if shape is None or 0 in shape:
        return _digest(kind, shape, b""), [] if family == h5t.STRING else None
    if family == h5t.STRING:
        texts = [_text(item) for item in _values(attribute, kind, shape).reshape(-1)]
        joined = "\0".join(texts).encode("utf-8", "surrogateescape")
        return _digest(kind, shape, joined), texts if shape else texts[0]
    if family in {h5t.VLEN, h5t.REFERENCE, h5t.COMPOUND, h5t.ARRAY}:
        return _digest(kind, shape, b""), None
    return _digest(kind, shape, _values(attribute, kind, shape).tobytes()), None


def _values(attribute: h5a.AttrID, kind: h5t.TypeID, shape: list[int]) -> np.ndarray:
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        values = np.empty(shape, dtype=h5py.string_dtype())
        attribute.read(values)
        return values
    letter = "S" if kind.get_class() == h5t.STRING else "V"
    values = np.empty(shape, dtype=f"{letter}{kind.get_size()}")
    attribute.read(values, mtype=kind)
    return values


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _digest(kind: h5t.TypeID, shape: list[int] | None, content: bytes) -> str:
    tag = f"{type_name(kind)} {kind.get_size()} {shape} ".encode()
    return hashlib.blake2b(tag + content, digest_size=16).hexdigest()

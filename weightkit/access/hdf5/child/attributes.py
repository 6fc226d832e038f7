"""Attributes of groups and datasets: a digest of each, and its value where it is text.

Only the reading process imports this module.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5a, h5s, h5t

from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.access.hdf5.child.type_names import refers, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_TEXT = h5py.string_dtype()
_MORE_TEXT, _TEXT_RATIO = 1 << 20, 4  # characters that any file may have, and how many more for each of its bytes


def attributes_of(owner: Any, path: str, limits: Json) -> list[list[Any]]:
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
        digest, value = _attribute(attribute, kind, shape_of(space)) if size <= limits["attribute"] else ("", None)
        if max(size, _length(value)) > limits["attribute"]:
            raise Refusal("unsafe", path, f"its attribute {name} has more than {limits['attribute']} bytes")
        found.append([name, digest, value])
    return found


def within(length: int, records: Iterator[Json]) -> Iterator[Json]:
    """The records of a file of ``length`` bytes, refused where their text is many times as long as the file.

    Lists of text of variable length may name one text in the file again and again, a kilobyte for 16 bytes each.
    """
    left = _MORE_TEXT + _TEXT_RATIO * length
    for record in records:
        left -= sum(_length(text) for _, _, text in record.get("attributes", ()))
        if left < 0:
            raise Refusal("unsafe", record["path"], "the text in the file's attributes is longer than the file")
        yield record


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


def shape_of(space: h5s.SpaceID) -> list[int] | None:
    """Lengths of the axes in elements; None for a null dataspace."""
    return None if space.get_simple_extent_type() == h5s.NULL else list(space.shape)

"""The objects of an HDF5 file: reported by the reading process, checked here before anything relies on them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from weightkit.access.hdf5.spans import HINT, Spans
from weightkit.access.ref import excess
from weightkit.errors import DamagedFileError, UnsafeFileError
from weightkit.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

_INTEGERS = [f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)]
_LAYOUTS = ("contiguous", "chunked", "compact")
_LARGEST_AXIS = 1 << 59  # elements; NumPy counts bytes up to 2^63, and a number has up to 8
_MOST_AXES = 32  # HDF5 allows no more
_DEFLATE_RATIO = 1032  # zlib's manual: one byte of deflated data expands to at most this many
_MOST_UNWRITTEN = 64 << 20  # bytes of values that a file may declare without storing them
# As in `child.type_names`, which cannot be imported here: it loads h5py.
_LONG_TEXT = "<text of variable length>"
_REFERRING = {"<list of variable length>", "<reference>", "<compound with references>", "<array with references>"}
_NUMBERS = {f"{order}{letter}" for order in "<>" for letter in ("f2", "f4", "f8", *_INTEGERS)} | {"|b1"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: a digest of its type, shape and value, and the value where it is text."""

    name: str
    digest: str
    """Empty where the value is a reference to another place in the file."""
    text: str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Group:
    """A group and its attributes."""

    path: str
    address: int
    attributes: tuple[Attribute, ...]
    form: str = ""
    """Other creation properties: whether it tracks creation order."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: what it holds and where its bytes are, counted from the start of the HDF5 file."""

    path: str
    address: int
    attributes: tuple[Attribute, ...]
    shape: tuple[int, ...] | None
    """Shape in elements; None for a dataset with a null dataspace."""
    dtype: str
    """NumPy's code, or a name in angle brackets for anything that is not a plain number."""
    layout: str
    filters: tuple[str, ...]
    offset: int | None
    """Offset in bytes; None if no space was ever allocated."""
    size: int
    """Bytes that it takes up in the file."""
    form: str = ""
    """Other creation properties: maximum shape, chunk shape, options of its filters."""
    fill: str = ""
    """The fill value for values never written; empty if it is the library's default."""
    element: int = 0
    """Bytes of one element in the file, whatever its type."""
    table: str = ""
    """Digest of where its chunks are; empty if it has none."""
    content: str = ""
    """Digest of values that are stored among the file's own tables: in a header, or as text of variable length."""

    @property
    def numpy_dtype(self) -> np.dtype[Any] | None:
        """The type of its values; None for anything that is not a plain number."""
        if self.dtype == "|V2":
            return np.dtype(ml_dtypes.bfloat16) if _says_bfloat16(self.attributes) else None
        return np.dtype(self.dtype) if self.dtype in _NUMBERS else None

    @property
    def other_type(self) -> str:
        """The name of a type that is not a plain number."""
        is_named = self.dtype.startswith("<") and self.dtype.endswith(">")
        return self.dtype[1:-1] if is_named else f"opaque, {self.element} bytes"

    @property
    def numpy_size(self) -> int:
        """Bytes of its values as a NumPy array; 0 for anything that is not a plain number."""
        dtype = self.numpy_dtype
        return 0 if dtype is None or self.shape is None else math.prod(self.shape) * dtype.itemsize

    @property
    def refers(self) -> bool:
        """Whether its values refer to other places in the file, so that a copy of its bytes alone is useless."""
        return self.dtype in _REFERRING

    @property
    def is_long_text(self) -> bool:
        """Whether its values are text of variable length, which is stored elsewhere in the file."""
        return self.dtype == _LONG_TEXT

    @property
    def never_written(self) -> int:
        """Bytes that it declares beyond what its stored bytes can decode to."""
        return max(0, self.numpy_size - self.size * (_DEFLATE_RATIO if "deflate" in self.filters else 1))


@dataclass(frozen=True, slots=True)
class Index:
    """All objects of one HDF5 file, parents before children, and the extra names of some of them."""

    length: int
    groups: dict[str, Group] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    reply_digest: str = field(default="", compare=False)
    """Digest of the reading process's reply about the file; empty if it was not kept."""

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]], length: int, *, whole: bool = True) -> Index:
        """Build and check the index of an HDF5 file.

        Args:
            records: The reading process's reply.
            length: Bytes of the file.
            whole: Whether all values are in it; False for a new file whose chunks are not written yet.

        Raises:
            DamagedFileError: A dataset is outside the file, overlaps another object, or has the wrong size.
            UnsafeFileError: The reply is invalid, or the file declares far more values than it stores.
        """
        index, spans = cls(length), Spans(length)
        try:
            for record in records:
                index._add(record, spans)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UnsafeFileError(f"internal error: the HDF5 reader sent an invalid reply: {error!r}") from error
        index._check(spans)
        if whole:
            index._require_whole()
        return index

    def attributes(self, path: str) -> dict[str, str | tuple[str, ...] | None]:
        """Text attributes of a group by name; empty where there is no such group."""
        group = self.groups.get(path)
        return {attribute.name: attribute.text for attribute in group.attributes} if group else {}

    def _add(self, record: dict[str, Any], spans: Spans) -> None:
        path = _text(record["path"])
        if record["type"] == "chunks":
            spans.add(path, _chunk_spans(record, self.datasets[path]))
            return
        if by := excess(path):
            raise UnsafeFileError(
                f"{cut(path)}: its path has {by}", hint="do not trust this file, or rename its objects with h5py"
            )
        if path in self.groups or path in self.datasets or path in self.aliases:
            raise ValueError(f"{path} twice")
        match record["type"]:
            case "group":
                attributes, form = _attributes(record), _text(record["form"])
                self.groups[path] = Group(path, number(record["address"]), attributes, form)
            case "alias":
                self.aliases[path] = _text(record["of"])
            case "dataset":
                self.datasets[path] = _dataset(path, record)
            case other:
                raise ValueError(other)

    def _check(self, spans: Spans) -> None:
        for dataset in self.datasets.values():
            _check_shape(dataset)
            # Chunks may be compressed, and values never written take no space: only these have an exact size.
            if dataset.layout == "compact" or dataset.offset is not None:
                _check_size(dataset)
            if dataset.offset is not None:
                _check_place(dataset, self.length)
                spans.add(dataset.path, [(dataset.offset, dataset.size)])
        self.add_headers(spans)
        spans.require_apart()
        # Some chunks may have no place, but together all must fit into the file.
        held = sum(dataset.size for dataset in self.datasets.values())
        if held > self.length:
            raise DamagedFileError(f"its datasets take {held} bytes, but the file has {self.length}", hint=HINT)

    def _require_whole(self) -> None:
        """Refuse a declared terabyte before any memory or disk space is requested."""
        missing = sum(dataset.never_written for dataset in self.datasets.values())
        if missing > _MOST_UNWRITTEN:
            worst = max(self.datasets.values(), key=lambda dataset: dataset.never_written)
            raise UnsafeFileError(
                f"it declares {missing} bytes of values that it does not store, most of them in {worst.path}",
                hint="do not trust this file, or save the model again",
            )

    def add_headers(self, spans: Spans) -> None:
        """Add the first byte of each object's header: no dataset's values may overlap it."""
        spans.add("the file's signature", [(0, min(8, self.length))])
        entries: tuple[Group | Dataset, ...] = (*self.groups.values(), *self.datasets.values())
        for entry in entries:
            # How long a header is, is not known here: its first byte is the least that is its own.
            spans.add(f"the header of {entry.path or '/'}", [(entry.address, 1)])


def _dataset(path: str, record: dict[str, Any]) -> Dataset:
    shape, offset, layout = record["shape"], record["offset"], record["layout"]
    if layout not in _LAYOUTS or (layout != "contiguous" and offset is not None):
        raise ValueError(layout)
    return Dataset(
        path,
        number(record["address"]),
        _attributes(record),
        None if shape is None else tuple(number(axis) for axis in shape),
        _text(record["dtype"]),
        layout,
        tuple(_text(name) for name in record["filters"]),
        None if offset is None else number(offset),
        number(record["size"]),
        _text(record["form"]),
        _text(record["fill"]),
        number(record["element"]),
        _text(record.get("table", "")),
        _text(record.get("content", "")),
    )


def _chunk_spans(record: dict[str, Any], dataset: Dataset) -> list[tuple[int, int]]:
    """Offset and bytes of each chunk.

    Raises:
        DamagedFileError: A chunk that no filter changed has not the bytes that its elements need.
    """
    numbers = [number(item) for item in record["spans"]]
    if dataset.layout != "chunked" or len(numbers) % 2:
        raise ValueError(dataset.path)
    spans, whole = list(zip(numbers[::2], numbers[1::2], strict=True)), number(record["whole"])
    if not dataset.filters and any(size != whole for _, size in spans):
        raise DamagedFileError(f"{dataset.path}: each of its chunks must have {whole} bytes", hint=HINT)
    return spans


def _attributes(record: dict[str, Any]) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(_text(name), _text(digest), text if text is None else _texts(text))
        for name, digest, text in record["attributes"]
    )


def _texts(value: Any) -> str | tuple[str, ...]:
    return tuple(_text(item) for item in value) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def number(value: Any) -> int:
    """An integer of 64 bits; True and 1.0 do not count."""
    if type(value) is not int or abs(value) >> 64:  # Python does not even print an integer of 5,000 digits
        raise TypeError(value)
    return value


def _says_bfloat16(attributes: tuple[Attribute, ...]) -> bool:
    """Two opaque bytes are bfloat16; Keras says so in an attribute, except in legacy files."""
    stored = [attribute.text for attribute in attributes if attribute.name == "dtype"]
    return not stored or stored == ["bfloat16"]


def _check_shape(dataset: Dataset) -> None:
    """Require a shape and a size that can be, and an element of the type's own size."""
    dtype = dataset.numpy_dtype
    if dataset.element < 1 or (dtype is not None and dataset.element != dtype.itemsize):
        raise DamagedFileError(
            f"{dataset.path}: an element of {dataset.dtype} cannot have {dataset.element} bytes",
            hint=HINT,
        )
    axes = dataset.shape or ()
    possible = len(axes) <= _MOST_AXES and all(0 <= axis <= _LARGEST_AXIS for axis in axes)
    # NumPy counts the bytes of an array without elements as if an axis of 0 were 1.
    if not possible or dataset.size < 0 or math.prod(axis or 1 for axis in axes) > _LARGEST_AXIS:
        raise DamagedFileError(f"{dataset.path}: its shape {axes} or its size is invalid", hint=HINT)


def _check_size(dataset: Dataset) -> None:
    """Whatever the type: a copy of too many bytes would run over what comes after it in a new file."""
    count = 0 if dataset.shape is None else math.prod(dataset.shape)
    if count * dataset.element != dataset.size:
        raise DamagedFileError(
            f"{dataset.path}: {count} elements of {dataset.numpy_dtype or dataset.other_type} need "
            f"{count * dataset.element} bytes, got {dataset.size} in the file",
            hint=HINT,
        )


def _check_place(dataset: Dataset, length: int) -> None:
    start = dataset.offset or 0
    if start < 0 or start + dataset.size > length:
        raise DamagedFileError(
            f"{dataset.path}: its values must be at bytes {start} to {start + dataset.size}, "
            f"but the file ends at {length}",
            hint="it is truncated: use another copy of the file",
        )

"""Values that are not in one piece: where a dataset's chunks are, and what a header stores.

Only the reading process imports this module.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5z

from weightkit.access.hdf5.child.file_part import Part, open_for_reading
from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.access.hdf5.child.type_names import LONG_TEXT, refers, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

# What the parent decodes itself; any other filter may be a plugin, which is code.
_SAFE_FILTERS = {
    h5z.FILTER_DEFLATE: "deflate",
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_FLETCHER32: "fletcher32",
}
_AT_ONCE = 4096  # texts of which one record tells
_EDGES = 3  # superblock version from which chunks over the edge may be stored without filters


def filters_of(creation: h5p.PropDCID, path: str) -> list[str]:
    """Names of a dataset's filters, in the order in which they are applied."""
    codes = [creation.get_filter(number)[0] for number in range(creation.get_nfilters())]
    for code in codes:
        if code not in _SAFE_FILTERS:
            raise Refusal(
                "unsupported",
                path,
                f"it is compressed with filter {code}, not deflate, shuffle or fletcher32",
            )
    return [_SAFE_FILTERS[code] for code in codes]


def fill_value(dataset: h5d.DatasetID, creation: h5p.PropDCID) -> np.ndarray | None:
    """The fill value for values never written; None if the file has none."""
    if creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED or type_name(dataset.get_type()).endswith(">"):
        return None
    fill = np.zeros((), dtype=dataset.dtype)
    creation.get_fill_value(fill)
    return fill


def content_of(dataset: h5d.DatasetID, layout: str, limits: Json) -> str:
    """Digest of values that are stored among the file's own tables, where an edit of other values may reach them.

    Empty for all others, and where they cannot be read or are too many.
    """
    kind, size = dataset.get_type(), dataset.get_storage_size()
    is_text = type_name(kind) == LONG_TEXT
    if layout == "chunked" or not 0 < size <= limits["attribute"] or not (is_text or layout == "compact"):
        return ""
    if refers(kind):  # its bytes in memory are places in memory
        return ""
    digest = hashlib.blake2b(digest_size=16)
    try:
        for piece in _texts(dataset) if is_text else [_raw(dataset)]:
            digest.update(len(piece).to_bytes(8, "little") + piece)
    except (OSError, RuntimeError, TypeError, ValueError):
        return ""  # whoever asks for these values is told
    return digest.hexdigest()


def _texts(dataset: h5d.DatasetID) -> Iterator[bytes]:
    texts = np.empty(dataset.shape, dtype=h5py.string_dtype())
    dataset.read(h5s.ALL, h5s.ALL, texts)
    return (text if isinstance(text, bytes) else str(text).encode() for text in texts.reshape(-1))


def _raw(dataset: h5d.DatasetID) -> bytes:
    kind = dataset.get_type()
    values = np.empty(dataset.shape, dtype=f"V{kind.get_size()}")
    dataset.read(h5s.ALL, h5s.ALL, values, mtype=kind)
    return values.tobytes()


def compact(descriptor: int, start: int, length: int, path: str) -> Iterator[Json]:
    """The raw values that a dataset stores in its header."""
    file = open_for_reading(Part(descriptor, start, length))  # closing it closes what is open in it
    dataset = h5d.open(file, path.encode("utf-8", "surrogateescape"))
    # As text, since replies are JSON; HDF5 allows no more than 64 KiB in a header.
    yield {"values": _raw(dataset).hex()}


def texts(descriptor: int, start: int, length: int, request: Json) -> Iterator[Json]:
    """Digests of texts of variable length, which have no bytes of their own; each as long as an element of theirs."""
    file = open_for_reading(Part(descriptor, start, length))  # closing it closes what is open in it
    found = _texts(h5d.open(file, request["path"].encode("utf-8", "surrogateescape")))
    while some := list(itertools.islice(found, _AT_ONCE)):
        digests = (hashlib.blake2b(text, digest_size=request["element"]).hexdigest() for text in some)
        yield {"values": "".join(digests)}


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
    shift = shift_of(file, dataset, found[0], part) if found else 0
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
    """What the library knows about every chunk."""
    found: list[Any] = []
    each_chunk(dataset, found.append)
    return found


def each_chunk(dataset: h5d.DatasetID, keep: Callable[[Any], bool | None]) -> None:
    """Call for every chunk, until the call gives True."""
    if hasattr(dataset, "chunk_iter"):
        dataset.chunk_iter(keep)
        return
    for number in range(dataset.get_num_chunks()):  # h5py for HDF5 1.10 has no other way; it takes quadratic time
        if keep(dataset.get_chunk_info(number)):
            return


def shift_of(file: h5f.FileID, dataset: h5d.DatasetID, first: Any, part: Part) -> int:
    """What to add to the offsets of chunks: up to HDF5 1.14.1 they are counted from the end of the user block.

    Args:
        file: The file.
        dataset: A dataset in it.
        first: What the library knows about one of its chunks.
        part: Where the file's bytes are.
    """
    block = int(file.get_create_plist().get_userblock())
    if not block:
        return 0
    _, content = dataset.read_direct_chunk(first.chunk_offset)
    for shift in (0, block):
        part.seek(shift + first.byte_offset)
        if part.read(first.size) == content:
            return shift
    raise Refusal("damaged", "/", "its chunks are not where the file says")

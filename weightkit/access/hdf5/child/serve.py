"""The requests that the reading process answers: describe a file, find chunks, rewrite a file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import h5py

from weightkit.access.hdf5.child import build, make, scan, stored_values
from weightkit.access.hdf5.child.damage import in_words
from weightkit.access.hdf5.child.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

_SIGN_OF_LIFE = 256  # objects read between two signs of life
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode


def versions() -> Json:
    """Versions of h5py and of the HDF5 library it carries."""
    return {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version}


def answer(request: Json, descriptors: list[int], limits: Json) -> Iterator[Json]:
    """The records that answer one request; the last one says how it ended, and which request it answers."""
    for record in _answer(request, descriptors, limits):
        is_last = "end" in record or "refuse" in record
        yield record | {"number": request["number"], "of": request.get("path")} if is_last else record


def _answer(request: Json, descriptors: list[int], limits: Json) -> Iterator[Json]:
    count = 0
    try:
        for record in _records(request, descriptors, limits):
            count += 1
            yield record
    except Refusal as refusal:
        yield refusal.record
    # The limit on address space makes allocations fail.
    except MemoryError:
        yield {"refuse": "unsafe", "path": "/", "why": f"reading it takes more than {limits['memory']} bytes"}
    except Exception as error:  # noqa: BLE001  # h5py raises every class there is for a damaged file
        yield {"refuse": "damaged", "path": request.get("path", "/"), "why": in_words(error)}
    else:
        # The parent compares the count: a stream that lost records is noticed.
        yield {"end": count}


def _records(request: Json, descriptors: list[int], limits: Json) -> Iterator[Json]:
    source = descriptors[0]
    answers: dict[str, Callable[[], Iterator[Json]]] = {
        "scan": lambda: scan.scan(source, request["start"], request["length"], limits),
        "digest": lambda: _digested(scan.scan(source, request["start"], request["length"], limits)),
        "chunks": lambda: stored_values.chunks(source, request["start"], request["length"], request["path"]),
        "compact": lambda: stored_values.compact(source, request["start"], request["length"], request["path"]),
        "texts": lambda: stored_values.texts(source, request["start"], request["length"], request),
        "build": lambda: build.build(source, descriptors[1], request),
        "fill": lambda: build.fill(source, descriptors[1], request),
        "make": lambda: make.make(source, request),
    }
    if request["do"] not in answers:
        raise ValueError(request["do"])
    return answers[request["do"]]()


def line(record: Json) -> bytes:
    """One record of a reply as it is sent."""
    # ASCII is enough: JSON escapes all else, lone surrogates too.
    return _COMPACT(record).encode("ascii") + b"\n"


def _digested(records: Iterator[Json]) -> Iterator[Json]:
    """One record for all of them: the digest of what a scan would have sent; before it, signs of life."""
    digest = hashlib.blake2b()
    for count, record in enumerate(records):
        digest.update(line(record))
        if count % _SIGN_OF_LIFE == 0:
            yield {"at": count}
    yield {"digest": digest.hexdigest()}

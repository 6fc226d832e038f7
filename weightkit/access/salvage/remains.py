"""What is left of each weight of a damaged HDF5 file: whole, partial or lost."""

from __future__ import annotations

import contextlib
import enum
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.files.spool import Spool
from weightkit.access.hdf5.values import Piece
from weightkit.access.salvage.places import LAYERS, UNNAMED, WEIGHTS, Places, joined, places, split_list
from weightkit.access.salvage.structure.chunked import chunks_in, spooled
from weightkit.access.salvage.structure.datasets import CHUNKED, COMPACT, CONTIGUOUS, FoundDataset
from weightkit.access.salvage.structure.overlaps import overlapping
from weightkit.access.salvage.structure.survey import Survey, survey
from weightkit.access.salvage.structure.window import UNDEFINED, Malformed
from weightkit.access.salvage.zeros import Gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import WriteableBuffer

    from weightkit.access.hdf5.container import Body
    from weightkit.access.hdf5.limits import Limits

_BLOCK = 1 << 20  # bytes to read at a time
_DIGEST = 16  # bytes


class State(enum.StrEnum):
    """How much of a weight is there."""

    WHOLE = "whole"
    PARTIAL = "partial"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Remnant:
    """One weight, as far as it is known."""

    structure: str
    """Its path in the file, as far as that is known."""
    state: State
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    """NumPy's code, or a name in angle brackets; empty where it is not known."""
    nbytes: int = 0
    """Bytes of all of its values; 0 where that is not known."""
    present: int = 0
    """Bytes of them that are there."""
    digest: str = ""
    """BLAKE2b (16 bytes, as hex digits) of its values' bytes, if it is whole."""
    why: str = ""
    """Why it is not whole; empty if it is."""
    piece: Piece | None = field(default=None, compare=False)
    """Where its values can be read, if it is whole and has any."""

    @property
    def dtype_text(self) -> str:
        """Its type in words, such as ``float32``; empty where it is not known."""
        if self.dtype == "|V2":
            return "bfloat16"
        return self.dtype.strip("<>") if self.dtype.endswith(">") or not self.dtype else np.dtype(self.dtype).name


@dataclass(slots=True)
class Remains:
    """What is left of an HDF5 file."""

    survey: Survey
    places: Places
    remnants: tuple[Remnant, ...]
    """The weights: those that were found in the order of their paths, then those that were not."""
    spool: Spool

    def close(self) -> None:
        """Free the space of decoded values; safe to call twice."""
        self.spool.close()


def remains_of(body: Body, limits: Limits) -> Remains:
    """Find what is left of the weights in an HDF5 file; close the result.

    Raises:
        UnsafeFileError: It has more objects than the limits allow, or makes more work than files of its size do.
        MachineError: The disk failed, or has no room for decoded values.
    """
    found = survey(body, limits)
    known = places(found)
    spool = Spool()
    try:
        return Remains(found, known, tuple(_remnants(found, known, spool, limits)), spool)
    except BaseException:
        spool.close()
        raise


def each_remnant(body: Body, limits: Limits) -> Iterator[Remnant]:
    """The weights one after another; where their values can be read is not kept.

    Raises:
        UnsafeFileError: It has more objects than the limits allow, or makes more work than files of its size do.
        MachineError: The disk failed, or has no room for decoded values.
    """
    found = survey(body, limits)
    with contextlib.closing(Spool()) as spool:
        yield from _remnants(found, places(found), spool, limits)


def _remnants(found: Survey, known: Places, spool: Spool, limits: Limits) -> Iterator[Remnant]:
    judge = _Judge(found, spool, limits)
    for path, address in known.datasets.items():
        yield judge.judged(path, found.datasets[address])
    yield from _not_found(known)


class _Judge:
    """Says how much of each dataset is there."""

    def __init__(self, found: Survey, spool: Spool, limits: Limits) -> None:
        self._found, self._window, self._spool = found, found.window, spool
        self._left = limits.inflated
        self._chunks = chunks_in(found.window, found.datasets.values())
        tables = {address: chunks for address, (chunks, _) in self._chunks.items()}
        self._shared = overlapping(found, tables)
        known = _spans(found)
        self._ends = {stop for _, stop in known}
        self._gaps = None if found.is_complete else Gaps(found.window, known)

    def judged(self, path: str, dataset: FoundDataset) -> Remnant:
        """How much of a dataset is there; its values are read once, for the digest."""
        present, why = self._present(dataset)
        whole = not why and present == dataset.size
        piece = None
        if whole and dataset.size:
            piece, present, why = self._piece(dataset)
        state = State.WHOLE if not why else State.PARTIAL if present else State.LOST
        digest = ""
        if state is State.WHOLE:
            digest = digest_of(piece.read_into if piece else _nothing, dataset.size)
        return Remnant(path, state, dataset.shape, dataset.dtype, dataset.size, present, digest, why, piece)

    def _present(self, dataset: FoundDataset) -> tuple[int, str]:
        """How many bytes of its values are inside the file, and why it cannot be whole."""
        start, size = dataset.offset, dataset.size
        if fault := self._fault(dataset):
            return 0, fault
        if not size or dataset.layout in {CHUNKED, COMPACT}:
            return size, ""
        inside = max(0, min(size, self._window.length - start))
        if inside < size:
            return inside, "the file ends before it does"
        touched = self._gaps is not None and self._gaps.touched(start, start + size)
        return (0, "a hole of zeros in the file reaches into it") if touched else (size, "")

    def _fault(self, dataset: FoundDataset) -> str:
        """Why nothing of it can be told from other bytes; empty if it can."""
        if dataset.address in self._shared:
            return "its bytes belong to another object too"
        if dataset.dtype.endswith(">"):
            return "it does not hold plain numbers"
        if self._is_odd(dataset):
            return "it starts in the middle of a number: where it is was changed"
        return "its values were never written" if dataset.size and dataset.offset == UNDEFINED else ""

    def _is_odd(self, dataset: FoundDataset) -> bool:
        """Whether it starts inside of a number of its type, and not right behind another piece of the file."""
        if dataset.layout != CONTIGUOUS or not dataset.size or not dataset.offset % dataset.element:
            return False
        return dataset.offset not in self._ends

    def _piece(self, dataset: FoundDataset) -> tuple[Piece | None, int, str]:
        """Where its values can be read, how many bytes of them are there, and why not all."""
        body, base = self._window.body, self._window.base
        if dataset.layout != CHUNKED:
            return Piece(body.fd, body.start + base + dataset.offset, body.name), dataset.size, ""
        self._left -= dataset.size
        if self._left < 0:
            return None, 0, "it takes more space than the limits allow when it is decoded"
        try:
            offset, present, why = spooled(self._window, dataset, self._chunks[dataset.address], self._spool)
        except Malformed as error:
            return None, 0, str(error)
        return (None, present, why) if why else (Piece(self._spool.fd, offset, body.name), present, "")


def _spans(found: Survey) -> list[tuple[int, int]]:
    """What is known of the file: its structure and the values of its datasets."""
    values = [
        (dataset.offset, dataset.offset + dataset.size)
        for dataset in found.datasets.values()
        if dataset.layout not in {CHUNKED, COMPACT} and dataset.offset != UNDEFINED
    ]
    return values + found.window.structure


def _nothing(_: WriteableBuffer, __: int) -> None:
    raise AssertionError("an empty weight has no bytes")


def digest_of(read_into: Callable[[WriteableBuffer, int], None], size: int) -> str:
    """The digest of ``size`` bytes; ``read_into`` fills a buffer from a place on."""

    def parts() -> Iterator[memoryview]:
        buffer = memoryview(bytearray(min(_BLOCK, size)))
        for place in range(0, size, _BLOCK):
            part = buffer[: min(_BLOCK, size - place)]
            read_into(part, place)
            yield part

    return digest_of_parts(parts())


def digest_of_parts(parts: Iterable[memoryview]) -> str:
    """The digest of bytes that come in parts."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _not_found(known: Places) -> Iterator[Remnant]:
    """Weights that lists name, or links lead to, and that were not found."""
    listed = dict(_listed(known))
    for path in listed:
        if path not in known.datasets:
            above = next((lost for lost in known.lost if path == lost or path.startswith(f"{lost}/")), "")
            yield Remnant(path, State.LOST, why=known.lost.get(above, "its header was not found"))
    for layer in _layers(known):
        if layer not in known.groups and layer not in known.lost:
            yield Remnant(layer, State.LOST, why="the group of this layer was not found")
    for path, why in known.lost.items():
        if not any(name == path or name.startswith(f"{path}/") for name in listed):
            yield Remnant(path, State.LOST, why=why)


def _layers(known: Places) -> list[str]:
    """Where the layers are that a legacy file lists."""
    group = known.groups.get(known.top)
    return [joined(known.top, name) for name in dict.fromkeys((group and split_list(group.attributes, LAYERS)) or ())]


def _listed(known: Places) -> Iterator[tuple[str, None]]:
    for path, group in known.groups.items():
        if not path.startswith(UNNAMED):
            for name in split_list(group.attributes, WEIGHTS) or ():
                yield joined(path, name), None

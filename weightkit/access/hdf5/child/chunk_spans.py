"""Where the chunks of a dataset are, for a scan: a file may have millions, which are kept as plain numbers.

Only the reading process imports this module.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from typing import TYPE_CHECKING, Any

from weightkit.access.hdf5.child.refusal import Refusal
from weightkit.access.hdf5.child.stored_values import each_chunk, shift_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from h5py import h5d, h5f

    from weightkit.access.hdf5.child.file_part import Part

Json = dict[str, Any]

_AT_ONCE = 4096  # chunks in one record
_NOWHERE = 1 << 62  # for places that no file has; they fit a signed number


class ChunkSpans:
    """Offset and bytes of every chunk of a dataset, and a digest of all that its table says."""

    def __init__(self, dataset: h5d.DatasetID, path: str) -> None:
        """Read the dataset's chunk table.

        Raises:
            Refusal: It has more chunks than its shape allows.
        """
        self._digest, self._spans = hashlib.blake2b(digest_size=16), array("q")
        self._dataset, self._chunk = dataset, dataset.get_create_plist().get_chunk()
        self._first: Any = None
        self._left = math.prod(-(-axis // step) for axis, step in zip(dataset.shape, self._chunk, strict=True))
        each_chunk(dataset, self._keep)
        if self._left < 0:
            raise Refusal("damaged", path, "it has more chunks than its shape allows")

    @property
    def digest(self) -> str:
        """Digest of the table."""
        return self._digest.hexdigest()

    def records(self, path: str, element: int, file: h5f.FileID, part: Part) -> Iterator[Json]:
        """Offset and bytes of the chunks, one after the other, and how many bytes one has that no filter changed."""
        whole = math.prod(self._chunk) * element
        shift = 0 if self._first is None else shift_of(file, self._dataset, self._first, part)
        for first in range(0, len(self._spans), 2 * _AT_ONCE):
            spans = self._spans[first : first + 2 * _AT_ONCE].tolist()
            spans[::2] = [place + shift for place in spans[::2]]
            yield {"path": path, "type": "chunks", "whole": whole, "spans": spans}

    def _keep(self, info: Any) -> bool | None:
        place = info.byte_offset
        self._digest.update(f"{info.chunk_offset} {info.filter_mask} {place} {info.size};".encode())
        if place is not None:
            self._first = self._first or info
            self._spans.extend((min(place, _NOWHERE), min(info.size, _NOWHERE)))
        self._left -= 1
        return True if self._left < 0 else None

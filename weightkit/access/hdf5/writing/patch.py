"""A new file with the layout of the old one: copy what stays, overwrite what changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.files.copying import copy_range
from weightkit.access.files.openfile import machine_errors
from weightkit.access.hdf5.superblock import clear_mark
from weightkit.access.hdf5.writing.placed_sink import Place, PlacedSink
from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.hdf5.writing.writers import Job

_WORTH_SKIPPING = 64 << 10  # bytes; below this, copying a span that is overwritten later costs less than a call


@dataclass(slots=True)
class Patch:
    """Same layout, same types, contiguous values: a copy in which some spans differ."""

    job: Job
    _start: int = 0

    def begin(self) -> PlacedSink:
        """Copy everything except the large weights that will be written."""
        job = self.job
        body = job.body
        self._start = body.start if job.container.holds_body else job.container.begin(job.fd, {})
        shift = self._start - body.start
        offsets = {
            ref: body.start + dataset.offset for ref, dataset in job.changing.items() if dataset.offset is not None
        }
        whole = (0, job.size) if job.container.holds_body else (body.start, body.start + body.length)
        spans = [(offset, ref.nbytes) for ref, offset in offsets.items()]
        with machine_errors("copying the file", job.label):
            copy_around(body.fd, job.fd, *whole, spans, shift=shift)
        places = {ref: Place(job.fd, offset + shift, ref.dtype) for ref, offset in offsets.items()}
        return PlacedSink(places, job.label, self.finish)

    def finish(self) -> int:
        """Repair the container, and require the new structure to equal the old one; the new file's descriptor."""
        job = self.job
        # The checksum of the old bytes: a new one over damaged bytes would hide the damage.
        job.container.require_intact()
        with machine_errors("writing the new file", job.label):
            clear_mark(job.fd, self._start, job.body.length)
        if job.container.holds_body:
            job.container.seal(job.fd)
        else:
            job.container.finish(job.fd, job.body.length)
        if not job.same(self._start, job.body.length):
            raise DamagedFileError(
                "the new file's structure must equal the old one's, but some values overlap the file's own tables",
                hint="use another copy of the file",
            )
        return job.fd


def copy_around(
    source: int, fd: int, start: int, stop: int, changing: Sequence[tuple[int, int]], *, shift: int = 0
) -> None:
    """Copy the bytes from ``start`` to ``stop`` except for the large spans that will be rewritten.

    Args:
        source: The open file in which the bytes are.
        fd: Where they go, ``shift`` bytes further on.
        start: The first byte.
        stop: The byte after the last.
        changing: Offset and length in bytes of each span that will be overwritten.
        shift: How much further on everything is in the new file.
    """
    for first, last in _ranges_to_copy(start, stop, changing):
        copy_range(source, fd, first, last, shift=shift)


def _ranges_to_copy(start: int, stop: int, changing: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    done = start
    # They do not overlap: the index requires it.
    for place, length in sorted(changing):
        if length >= _WORTH_SKIPPING:
            yield done, place
            done = place + length
    yield done, stop

"""The table of formats: what a file is, the first of them that recognizes it says.

A format is one module (or any object) with two functions, and one line in this table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weightkit.access.formats import archive, legacy, lora, model_folder, optimizer_state, weights_h5
from weightkit.access.formats.foreign.hdf5_objects import foreign_hdf5

if TYPE_CHECKING:
    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.contents import Contents


class Format(Protocol):
    """One way in which weights lie in a file."""

    def recognizes(self, file: UnknownFile) -> bool:
        """Whether a file is in this format; ``file.source`` has its bytes, ``file.index`` its HDF5 structure."""

    def contents(self, file: UnknownFile) -> Contents:
        """The weights of such a file; where they lie in a container, the file is told to enter it first.

        Raises:
            RefusedError: It is damaged or unsafe.
        """


# Folder and archive are told before anything is scanned; the last one has the weakest mark.
FORMATS: tuple[Format, ...] = (model_folder, archive, optimizer_state, legacy, lora, weights_h5)
"""In the order in which they are asked."""


def contents_of(file: UnknownFile) -> Contents:
    """What a file holds.

    Raises:
        RefusedError: It is damaged, unsafe, or in no format of the table.
    """
    for known in FORMATS:
        if known.recognizes(file):
            return known.contents(file)
    raise foreign_hdf5(file.index)

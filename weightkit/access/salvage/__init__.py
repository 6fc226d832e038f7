"""What is whole in a damaged file of weights: found in its bytes, without the HDF5 library, and written as a new file.

Importing this loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weightkit.text import no_attribute

if TYPE_CHECKING:
    from weightkit.access.salvage.damaged_file import DamagedFile
    from weightkit.access.salvage.opening import open_for_salvage
    from weightkit.access.salvage.readable_file import ReadableFile
    from weightkit.access.salvage.remains import Remnant

_HOMES = {
    "DamagedFile": "weightkit.access.salvage.damaged_file",
    "ReadableFile": "weightkit.access.salvage.readable_file",
    "Remnant": "weightkit.access.salvage.remains",
    "open_for_salvage": "weightkit.access.salvage.opening",
}

__all__ = ["DamagedFile", "ReadableFile", "Remnant", "open_for_salvage"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise no_attribute(__name__, name, __all__)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

"""What an HDF5 file is that holds no weights of Keras as far as weightkit reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weightkit.access.formats.foreign import HINT
from weightkit.errors import UnsupportedFileError
from weightkit.text import listed

if TYPE_CHECKING:
    from weightkit.access.hdf5.index import Index


def foreign_hdf5(index: Index) -> UnsupportedFileError:
    """The error that names it by what it holds."""
    if any(re.fullmatch(r"layer_\d+/param_\d+", path) for path in index.datasets):
        return UnsupportedFileError(
            "it holds weights of Keras before 1.0 (2015), which store no names and which no later Keras reads",
            hint="load it into its model with that Keras, and save it again with Keras 1.0 to 1.2",
        )
    top = [path for path in (*index.groups, *index.datasets) if path and "/" not in path]
    holds = f"it holds {listed(top)}" if top else "it is empty"
    return UnsupportedFileError(f"it is HDF5, but no Keras weights: {holds}", hint=HINT)

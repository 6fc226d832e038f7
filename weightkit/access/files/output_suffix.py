"""What the end of a file's name says to Keras, which looks at nothing else: the wrong one makes a file useless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# `load_model` and `load_weights` of Keras 3.15, and KerasHub, compare the ends of paths, in this order and this case.
_MEANINGS = {
    ".keras": "a .keras archive",
    ".weights.h5": "weights of Keras 3",
    ".weights.json": "the index of sharded weights",
    ".lora.h5": "LoRA weights of KerasHub",
    ".h5": "legacy HDF5",
    ".hdf5": "legacy HDF5",
}
LEGACY = (".h5", ".hdf5")
"""Ends of the names of legacy HDF5 files, and of other HDF5 files that are not for Keras."""


def require_suffix(output: str | Path, form: str, suffixes: Sequence[str]) -> None:
    """Check that the name of a new file does not promise another format; names with other ends promise none.

    Args:
        output: Where the file would go, as the user named it.
        form: What the file is.
        suffixes: Ends of names of such files, the usual one first; empty if it is not known.

    Raises:
        RequestError: It promises another one.
    """
    end = next((each for each in _MEANINGS if str(output).endswith(each)), "")
    if end and suffixes and end not in suffixes:
        raise RequestError(
            f"the output's format is {form}, and a name that ends in {end} makes Keras expect {_MEANINGS[end]}",
            hint=f"give a name that ends in {suffixes[0]}",
            file=str(output),
        )

"""What a zip archive is that is no ``.keras`` archive: told by the names of its members, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.errors import UnsupportedFileError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEIGHTS = "model.weights.h5"
_HDF5 = (".h5", ".hdf5", ".keras")
_HINT = "give a .keras file with HDF5 weights in one member"

# A member that gives it away, by the end of its name, what the archive is, and what to do.
_TOLD_BY = (
    ("data.pkl", "it is a PyTorch file", "convert it to a Keras model first, and save that with Keras"),
    ("saved_model.pb", "it is a zip of a TensorFlow SavedModel", "load it with Keras 2 and save the model with Keras"),
    ("model.json", "it is a zip of a TensorFlow.js model", "convert it first (`tensorflowjs_converter`)"),
    (".tflite", "it is a zip of a TensorFlow Lite model", "give the Keras model that it was converted from"),
    (".npy", "it holds NumPy arrays (.npz), not Keras weights", "assign them to a model with Keras, and save that"),
)


def foreign_zip(names: Sequence[str]) -> UnsupportedFileError:
    """The error that names an archive with these members, which are not those of a ``.keras`` archive."""
    problem, hint = _found([name for name in names if not name.startswith("__MACOSX/")])
    return UnsupportedFileError(problem, hint=hint)


def _found(names: Sequence[str]) -> tuple[str, str]:
    last = [name.rsplit("/", 1)[-1] for name in names]
    inside = [name for name in names if name.endswith(_HDF5)]
    sharded = [name for name in last if name.startswith("model.weights") and name != _WEIGHTS]
    if sharded:
        return f"the archive holds no {_WEIGHTS}, only {listed(sharded)}", _HINT
    if inside:
        maker = "an archive from Teachable Machine" if "labels.txt" in last else "a zip archive"
        return f"it is {maker}, which holds {listed(inside)}", f"unzip it and give {inside[0]}"
    for end, what, hint in _TOLD_BY:
        if any(name.endswith(end) for name in last):
            return what, hint
    holds = f"it holds {listed(names)}" if names else "it is empty"
    return f"the archive holds no {_WEIGHTS}: {holds}", _HINT

"""A folder that Keras saved with ``model.save(folder, zipped=False)``: the members of a ``.keras`` archive."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightkit.access.files.local_path import is_file
from weightkit.access.files.openfile import OpenFile
from weightkit.access.formats.foreign import HINT
from weightkit.access.formats.legacy import parse_config
from weightkit.access.formats.weights_h5 import CONFIG, METADATA, WEIGHTS, ObjectLayout, contents_with
from weightkit.errors import RequestError, UnsafeFileError, UnsupportedFileError
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.formats.unknown_file import UnknownFile
    from weightkit.access.hdf5.contents import Contents
    from weightkit.access.hdf5.limits import Limits

_MOST = 1000  # entries to look at


def weights_in(folder: str | os.PathLike[str], *, editable: bool) -> Path:
    """The file in the folder that holds the weights.

    Raises:
        UnsupportedFileError: It holds none that is read here; the error says what it holds instead.
        RequestError: It would be edited: Keras reads the configuration beside the weights, which would stay as it is.
    """
    weights = Path(folder) / WEIGHTS
    if not is_file(weights):
        raise _foreign(Path(folder))
    if editable:
        raise RequestError(
            "a folder is not edited as a whole",
            hint=f"edit {weights}, or write elsewhere with -o OUT",
            file=os.fspath(folder),
        )
    return weights


def recognizes(file: UnknownFile) -> bool:
    """Whether the file lies in such a folder, which was given in its place."""
    return file.folder is not None


def contents(file: UnknownFile) -> Contents:
    """The weights in the folder, named by its configuration; a copy of them is a ``.weights.h5``.

    Raises:
        UnsafeFileError: One of the texts is too large.
    """
    assert file.folder is not None  # noqa: S101  # it is recognized
    metadata = _text(file.folder / METADATA, file.limits) or {}
    version = metadata.get("keras_version")
    found = contents_with(
        file.index,
        "weights of an unzipped .keras model",
        config=_text(file.folder / CONFIG, file.limits),
        keras_version=version if isinstance(version, str) else None,
    )
    # No member is changed with the weights: the configuration is another file.
    return replace(found, layout=ObjectLayout(file.index, None))


def _text(path: Path, limits: Limits) -> Mapping[str, Any] | None:
    if not is_file(path):
        return None
    with OpenFile(path) as source:
        content = source.read(0, limits.text_member + 1)
    if len(content) > limits.text_member:
        raise UnsafeFileError(f"it has more than {limits.text_member} bytes", file=str(path))
    return parse_config(content)


def _foreign(folder: Path) -> UnsupportedFileError:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, _MOST))
    except OSError:
        names = []
    problem, hint = _described(folder, names)
    return UnsupportedFileError(problem, hint=hint, file=str(folder))


def _described(folder: Path, names: list[str]) -> tuple[str, str]:
    inside = [str(folder / name) for name in names if name.endswith((".keras", ".h5", ".hdf5"))]
    if "saved_model.pb" in names:
        return (
            "it is a TensorFlow SavedModel folder, which weightkit does not read",
            "load it with Keras 2 or keras.layers.TFSMLayer, and save the model with Keras",
        )
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        return "it is a folder of TensorFlow checkpoints", "load one into its model, and save the model with Keras"
    if "model.weights.json" in names:
        return "it is a model folder whose weights are in shards", "save the model in one file with Keras"
    if "_CHECKPOINT_METADATA" in names or "manifest.ocdbt" in names:
        return "it is an Orbax checkpoint", "load it into its model, and save the model with Keras"
    if inside:
        return f"it is a folder, which holds {listed(inside)}", f"give {inside[0]}"
    return "it is a folder, not a weight file", HINT

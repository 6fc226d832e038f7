"""What several tests share: plain oracles, files to try, and the command line as users run it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

DATA = Path(__file__).parent / "data"
GOLDEN = sorted(path for path in DATA.iterdir() if path.suffix in {".h5", ".keras"})
REAL = sorted(
    path
    for path in Path(os.environ.get("WEIGHTKIT_REAL_MODELS", os.devnull)).glob("*")
    if path.is_file() and path.suffix != ".md"
)


@contextlib.contextmanager
def plain_hdf5(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at ``path``, or the one inside a ``.keras`` archive, opened with plain h5py."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            yield file
    else:
        with h5py.File(path) as file:
            yield file


def plain_datasets(path: Path) -> dict[str, np.ndarray]:
    """Values of every dataset by its full HDF5 path, read with plain h5py; 2-byte opaque is bfloat16."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str, thing: object) -> None:
        if isinstance(thing, h5py.Dataset):
            values = thing[()]
            found[name] = np.asarray(values).view(ml_dtypes.bfloat16) if thing.dtype == np.dtype("V2") else values

    with plain_hdf5(path) as file:
        file.visititems(keep)
    return found


def plain_layout(path: Path) -> list[tuple[str, object]]:
    """Every object in the order of its links, with its attributes, read with plain h5py; no values."""
    found: list[tuple[str, object]] = []

    def describe(thing: h5py.Group | h5py.Dataset) -> object:
        attributes = [(name, np.asarray(thing.attrs[name]).tolist()) for name in thing.attrs]
        return (attributes, (thing.shape, thing.dtype.str, thing.id.get_offset()) if hasattr(thing, "shape") else ())

    with plain_hdf5(path) as file:
        found.append(("", describe(file)))
        file.visititems(lambda name, thing: found.append((name, describe(thing))))
    return found


def run_weightkit(
    *arguments: object, python: str = sys.executable, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own."""
    return subprocess.run(
        [python, "-m", "weightkit", *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )

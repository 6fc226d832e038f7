"""The corpus: the cases of every theme, and the folder that holds their files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np

from tests.hostile import (
    archives,
    attributes,
    chunks,
    contents,
    filters,
    headers,
    links,
    members,
    names,
    sizes,
    texts,
    trees,
)
from tests.hostile.case import CASES, MARKER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CASES", "THEMES", "make_all"]

THEMES = (
    links,
    trees,
    sizes,
    chunks,
    filters,
    contents,
    names,
    attributes,
    archives,
    members,
    headers,
    texts,
)
"""Importing a theme registers its cases."""


def make_all(folder: Path, *, large: bool = True) -> None:
    """Make every file, then the victims and the manifest, and let anybody read all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [case for case in CASES if large or not case.large]
    for case in cases:
        path = folder / case.file
        case.make(path)
        if path.is_file() and not path.is_symlink():
            path.chmod(0o644)
    plant_victims(folder)
    manifest = {case.file: case.record() for case in cases}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    folder.chmod(0o755)


def plant_victims(folder: Path) -> None:
    """Files that hostile ones point at: anybody may read and write them, and nobody must."""
    (folder / "victim.bin").write_bytes(MARKER * 64)
    with h5py.File(folder / "victim.h5", "w") as file:
        file["secret"] = np.frombuffer(MARKER + b"\0", "u1")
        file["layers/dense/vars/0"] = np.frombuffer(MARKER + b"\0", "f4")
    for name in ("victim.bin", "victim.h5"):
        (folder / name).chmod(0o666)

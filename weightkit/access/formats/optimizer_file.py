"""An optimizer's state while it is being written: the format is that of `optimizer_state`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from weightkit.access.files.output_suffix import LEGACY, require_suffix
from weightkit.access.formats.optimizer_state import FORM, OPTIMIZER, SCHEMA, WEIGHTS
from weightkit.access.hdf5.writing.new_file import Fresh, write_fresh

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from weightkit.access.ref import WeightRef


class OptimizerFile:
    """Takes the state of an optimizer, then each weight of its model with the slots, and writes it."""

    def __init__(self, about: Mapping[str, str], optimizer: Mapping[str, str], *, ordered: bool) -> None:
        """Say of the whole what is known: versions, and the optimizer's class and configuration.

        Args:
            about: ``keras_version`` and ``backend``.
            optimizer: ``class`` and ``config``.
            ordered: Whether the weights come in the order of the layers.
        """
        root = {"schema": SCHEMA, **about, "ordered": "true" if ordered else "false"}
        self._fresh = Fresh({"": root, OPTIMIZER: dict(optimizer), WEIGHTS: {}}, {}, {})
        self._weights = 0

    def add_state(self, name: str, values: np.ndarray) -> None:
        """Add state of the whole optimizer by its path: ``iteration``, ``inner_optimizer/learning_rate``."""
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self._fresh.groups.setdefault("/".join((OPTIMIZER, *parts[:depth])), {})
        self._add(f"{OPTIMIZER}/{name}", values, {})

    def add_weight(self, ref: WeightRef, slots: Mapping[str, tuple[np.ndarray, str]]) -> None:
        """Take the next weight of the model; each slot by its name, with the class of the optimizer that keeps it."""
        group = f"{WEIGHTS}/{self._weights}"
        self._weights += 1
        self._fresh.groups[group] = _address(ref)
        for name, (values, kept_by) in slots.items():
            self._add(f"{group}/{name}", values, {"kept_by": kept_by})

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the file in the place of whatever file is there; returns where it lies.

        Raises:
            RequestError: It cannot lie there, or the name means another format.
            MachineError: The system failed; what was there is untouched.
        """
        require_suffix(os.fspath(path), FORM, LEGACY)
        return write_fresh(path, self._fresh)

    def _add(self, path: str, values: np.ndarray, attributes: dict[str, str]) -> None:
        # HDF5 stores it as two opaque bytes; this says what they are.
        bfloat16 = {"dtype": "bfloat16"} if values.dtype.name == "bfloat16" else {}
        self._fresh.datasets[path] = values
        self._fresh.attributes[path] = attributes | bfloat16


def _address(ref: WeightRef) -> dict[str, str]:
    known = {
        "structure": ref.structure,
        "path": ref.path,
        "layer": ref.layer,
        "name": ref.name,
        "layer_class": ref.layer_class,
        "kind": str(ref.kind),
        "dtype": ref.dtype.name,
        "shape": ",".join(map(str, ref.shape)),
        "index": str(ref.index),
        "duplicate": str(ref.duplicate),
    }
    return {name: text for name, text in known.items() if text is not None}

"""Weights made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from weightkit.access.ref import Kind, WeightRef

if TYPE_CHECKING:
    from collections.abc import Callable


def _weight(path: str, structure: str | None = None, **known: object) -> WeightRef:
    """A float32 matrix at that path; the rest is optional."""
    layer, _, name = path.rpartition("/")
    fields = {
        "structure": path if structure is None else structure,
        "layer": layer,
        "index": 0,
        "name": name,
        "shape": (2, 3),
        "dtype": np.dtype("float32"),
        "kind": Kind.PARAMETER,
        "layer_class": None,
        "trainable": None,
        "known_from": None,
    }
    return WeightRef(**(fields | known))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def weight() -> Callable[..., WeightRef]:
    return _weight

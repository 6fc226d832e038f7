"""Small model files, made without weightkit."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

if TYPE_CHECKING:
    from typing import Any

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)


@pytest.fixture(scope="session")
def weights() -> Any:
    """The bytes of a version-3 weight file of one layer."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = KERNEL
        file["layers/dense/vars/1"] = np.ones(4, "f4")
    return content.getvalue()

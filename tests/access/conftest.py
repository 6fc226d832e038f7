"""One reading process for all tests that only query it, and folders that any user may enter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weightkit.access.hdf5.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@pytest.fixture(scope="session")
def scanner() -> Iterator[Any]:
    with Scanner() as shared:
        yield shared


@pytest.fixture
def public() -> Iterator[Any]:
    """A folder that an unprivileged user can list but not write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder

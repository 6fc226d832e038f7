"""One reading process for all tests that only ask it, and folders that anybody may enter."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from weightkit.access.files.scanner import Scanner


@pytest.fixture(scope="session")
def scanner():
    with Scanner() as shared:
        yield shared


@pytest.fixture
def public():
    """A folder that a user who owns nothing can look into, and not write in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder

"""Stores to compare, made with plain h5py."""

from __future__ import annotations

import pytest
from support import write_legacy

from weightkit import diff


@pytest.fixture
def files(tmp_path):
    """Write two legacy files of layers, and give their paths."""

    def write(first, second):
        return write_legacy(tmp_path / "a.h5", first), write_legacy(tmp_path / "b.h5", second)

    return write


@pytest.fixture
def told(files):
    """Status and words by path of what differs between two files of layers."""

    def tell(first, second, **options):
        return {
            found.path: (str(found.status), found.what) for found in diff(*files(first, second), **options).changed()
        }

    return tell

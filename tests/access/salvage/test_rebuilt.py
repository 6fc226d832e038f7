"""The new file is read back before it is put in place."""

from __future__ import annotations

import pytest
from support import DATA

from weightkit import salvage
from weightkit.access.hdf5.writing.new_file import Stretch
from weightkit.errors import MachineError

GOLDEN = DATA / "keras20_optimizer.h5"


def test_what_differs_when_it_is_read_back_is_not_put_in_place(tmp_path, monkeypatch):
    """A disk that takes a write and keeps nothing of it, as far as a test can have one."""
    path, out = tmp_path / "m.h5", tmp_path / "out.h5"
    path.write_bytes(GOLDEN.read_bytes()[:-2000])
    monkeypatch.setattr(Stretch, "write", lambda *_: None)
    with pytest.raises(MachineError, match="differs from what was read"):
        salvage(path, output=out)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.h5"]

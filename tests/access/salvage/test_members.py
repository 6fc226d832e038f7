"""Members of an archive without a directory: found in one pass, and no more of them than the limits allow."""

from __future__ import annotations

import contextlib

from support import DATA

from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5.limits import Limits
from weightkit.access.salvage.members import salvaged_archive

NESTED = DATA / "keras315_nested.keras"


def found_in(path, limits):
    with OpenFile(path) as source, contextlib.ExitStack() as held:
        archive = salvaged_archive(source, limits)
        if archive.spool:
            held.callback(archive.spool.close)
        return archive


def test_what_is_before_the_members_does_not_hide_them(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"PK\3\4" * 50 + NESTED.read_bytes())
    archive = found_in(path, Limits())
    assert sorted(archive.texts) == ["config.json", "metadata.json"]
    assert archive.intact


def test_headers_are_bounded(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"PK\3\4" * 50 + NESTED.read_bytes())
    assert found_in(path, Limits(members=20)).texts == {}

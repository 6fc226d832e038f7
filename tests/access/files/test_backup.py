"""Backups: each gets the next number and never overwrites another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from weightkit.access.files.backup import backups_of, copy_backup, name_backup, require_nameable
from weightkit.access.files.openfile import OpenFile
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Any:
    (tmp_path / "m.h5").write_bytes(b"old")
    return tmp_path / "m.h5"


@pytest.mark.parametrize(
    ("present", "following"),
    [
        ([], "m.h5.bak"),
        (["bak"], "m.h5.bak.1"),
        (["bak.1"], "m.h5.bak.2"),
        (["bak", "bak.9"], "m.h5.bak.10"),
        (["bak.20260131"], "m.h5.bak"),
        (["bak.260131"], "m.h5.bak"),
        (["bak.999999"], "m.h5.bak"),
        (["bak.99998"], "m.h5.bak.99999"),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_a_new_backup_has_the_number_after_the_highest(
    path: Path, present: list[str], following: str, copied: bool
) -> None:
    for end in present:
        path.with_name(f"m.h5.{end}").write_bytes(b"there")
    hidden = path.with_name("hidden")
    os.link(path, hidden)
    with OpenFile(path) as source:
        made = copy_backup(source) if copied else name_backup(hidden, path)
    assert made.name == following
    assert made.read_bytes() == b"old"
    assert all(path.with_name(f"m.h5.{end}").read_bytes() == b"there" for end in present)


@pytest.mark.parametrize("copied", [False, True])
def test_a_name_that_somebody_takes_at_the_last_moment_is_left_to_them(
    path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    whole = os.link
    taken = iter(["m.h5.bak", "m.h5.bak.1"])

    def link(source: Path, target: Path) -> None:
        name = next(taken, None)
        if name:
            path.with_name(name).write_bytes(b"theirs")
        whole(source, target)

    hidden = path.with_name("hidden")
    os.link(path, hidden)
    monkeypatch.setattr(os, "link", link)
    with OpenFile(path) as source:
        made = copy_backup(source) if copied else name_backup(hidden, path)
    assert made.name == "m.h5.bak.2"
    assert made.read_bytes() == b"old"
    assert [path.with_name(name).read_bytes() for name in ("m.h5.bak", "m.h5.bak.1")] == [b"theirs", b"theirs"]


def test_what_is_no_file_takes_no_space(path: Path) -> None:
    path.with_name("m.h5.bak").symlink_to(path)
    path.with_name("m.h5.bak.1").mkdir()
    path.with_name("m.h5.bak.2").write_bytes(b"four")
    assert [(backup.number, backup.size) for backup in backups_of(path)] == [(2, 4), (1, 0), (0, 0)]


def test_a_backup_whose_number_would_not_be_recognized_is_refused_before_the_edit(path: Path) -> None:
    path.with_name("m.h5.bak.99999").write_bytes(b"there")
    with pytest.raises(RequestError, match=r"it has a backup m\.h5\.bak\.99999, and no number follows"):
        require_nameable(path)


def test_every_backup_that_is_made_is_recognized(path: Path) -> None:
    path.with_name("m.h5.bak.99998").write_bytes(b"there")
    with OpenFile(path) as source:
        made = copy_backup(source)
        assert backups_of(path)[0].path == made
        with pytest.raises(RequestError, match="no number follows"):
            copy_backup(source)

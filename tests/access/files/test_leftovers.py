"""Leftovers of killed edits: cleared by the next edit, and never at the cost of a weight."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from killed import killed_at_every_step
from support import Folder, unprivileged

from weightkit.access.files.commit import Replacement, target_of
from weightkit.access.files.leftovers import clear_leftovers
from weightkit.access.files.openfile import OpenFile
from weightkit.access.store import Destination

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "1234-0123abcd"
EDIT = """
import os
from pathlib import Path
from weightkit.access.files.commit import Replacement, target_of
from weightkit.access.files.openfile import OpenFile
from weightkit.access.store import Destination

def act():
    with OpenFile("m.h5") as source:
        source.lock(exclusive=True)
        destination = {destination}
        replacement = Replacement(source, destination, target_of(source, destination), 3)
        try:
            os.pwrite(replacement.fd, b"new", 0)
            replacement.commit()
        finally:
            replacement.discard()
"""


def edit(path: Path, content: bytes = b"next", destination: Destination = Destination()) -> Any:  # noqa: B008
    with OpenFile(path) as source:
        source.lock(exclusive=True)
        replacement = Replacement(source, destination, target_of(source, destination), len(content))
        try:
            os.pwrite(replacement.fd, content, 0)
            return replacement.commit()
        finally:
            replacement.discard()


@pytest.fixture
def path(tmp_path: Path) -> Any:
    (tmp_path / "m.h5").write_bytes(b"old")
    return tmp_path / "m.h5"


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def leftover(path: Path, suffix: str = "tmp", content: bytes = b"leftover") -> Path:
    name = path.with_name(f".{path.name}.{MARK}.weightkit-{suffix}")
    name.write_bytes(content)
    return name


# Real kills


def make(folder: Path) -> None:
    (folder / "m.h5").write_bytes(b"old")
    (folder / "m.h5.bak").write_bytes(b"older")


def test_an_edit_in_place_killed_at_any_step_loses_nothing_and_the_next_one_clears_up(tmp_path: Path) -> None:
    states = []
    for folder in killed_at_every_step(tmp_path, make, EDIT.format(destination="Destination()")):
        left = contents(folder)
        states.append(left["m.h5"])
        assert left["m.h5"] in {b"old", b"new"}
        assert b"old" in left.values()
        assert left["m.h5.bak"] == b"older"
        backups = [b"older", b"old"] + ([b"new"] if left["m.h5"] == b"new" else [])
        outcome = edit(folder / "m.h5")
        names = ["m.h5.bak", "m.h5.bak.1", "m.h5.bak.2"][: len(backups)]
        assert contents(folder) == {"m.h5": b"next"} | dict(zip(names, backups, strict=True))
        assert outcome.backup.name == names[-1]
        assert all(entry.stat().st_nlink == 1 for entry in folder.iterdir())
    assert states == sorted(states, reverse=True)
    assert {b"old", b"new"} == set(states)


@pytest.mark.parametrize("links", ["os.link = denied", "os.link('m.h5', 'other.h5')"])
def test_a_backup_that_must_be_a_copy_is_whole_or_has_no_name_when_its_edit_is_killed(
    tmp_path: Path, links: str
) -> None:
    denied = "def denied(*_):\n    raise PermissionError(1, 'no links here')\n"
    code = denied + EDIT.format(destination="Destination(break_links=True)").replace(
        "def act():", f"def act():\n    {links}"
    )
    found = set()
    for folder in killed_at_every_step(tmp_path, make, code):
        left = contents(folder)
        found.add((left["m.h5"], left.get("m.h5.bak.1")))
        edit(folder / "m.h5", destination=Destination(break_links=True))
        assert [name for name in contents(folder) if name.startswith(".")] == []
        assert contents(folder)["m.h5"] == b"next"
        assert contents(folder)["m.h5.bak.1"] == b"old"
    assert found == {(b"old", None), (b"old", b"old"), (b"new", b"old")}


def test_an_edit_without_backup_killed_at_any_step_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    found = set()
    for folder in killed_at_every_step(tmp_path, make, EDIT.format(destination="Destination(backup=False)")):
        assert not any(name.endswith("-old") for name in contents(folder))
        found.add(contents(folder)["m.h5"])
        edit(folder / "m.h5", destination=Destination(backup=False))
        assert contents(folder) == {"m.h5": b"next", "m.h5.bak": b"older"}
    assert found == {b"old", b"new"}


@pytest.mark.parametrize("exists", [False, True])
def test_an_edit_into_another_file_killed_at_any_step_leaves_it_old_or_new_and_the_next_one_clears_up(
    tmp_path: Path, exists: bool
) -> None:
    def make_both(folder: Path) -> None:
        make(folder)
        if exists:
            (folder / "out.h5").write_bytes(b"there")

    found = set()
    destination = f"Destination(Path('out.h5'), overwrite={exists})"
    for folder in killed_at_every_step(tmp_path, make_both, EDIT.format(destination=destination)):
        output = folder / "out.h5"
        found.add(output.read_bytes() if output.exists() else None)
        assert contents(folder)["m.h5"] == b"old"
        edit(folder / "m.h5", destination=Destination(output, overwrite=True))
        assert contents(folder) == {"m.h5": b"old", "m.h5.bak": b"older", "out.h5": b"next"}
        assert output.stat().st_nlink == 1
    assert found == {b"there" if exists else None, b"new"}


def test_an_output_that_a_killed_edit_had_just_named_is_edited_in_place_all_the_same(path: Path) -> None:
    os.link(path, path.with_name(f".m.h5.{MARK}.weightkit-tmp"))
    assert edit(path).notes == ()
    assert contents(path.parent) == {"m.h5": b"next", "m.h5.bak": b"old"}


# Whose they are


def test_a_new_file_that_nobody_holds_goes(path: Path) -> None:
    leftover(path)
    assert clear_leftovers(path) == []
    assert contents(path.parent) == {"m.h5": b"old"}


@pytest.mark.parametrize("suffix", ["tmp", "old"])
@pytest.mark.parametrize("lock", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_what_somebody_holds_stays(path: Path, suffix: str, lock: int) -> None:
    held = leftover(path, suffix)
    before = Folder.of(path.parent)
    with held.open() as file:
        fcntl.flock(file, lock)
        clear_leftovers(path)
        assert Folder.of(path.parent) == before
    clear_leftovers(path)
    assert not held.exists()


def test_where_there_are_no_locks_everything_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover(path)
    os.link(path, path.with_name(f".m.h5.{MARK}.weightkit-old"))
    before = Folder.of(path.parent)

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with OpenFile(path) as source:
        source.lock(exclusive=True)
        clear_leftovers(path, source)
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize(
    "name",
    [
        ".m.h5.1234-0123abcd.weightkit-tmp.bak",
        ".m.h5.1234-0123ABCD.weightkit-tmp",
        ".m.h5.1234-0123abcde.weightkit-tmp",
        ".m.h5.x-0123abcd.weightkit-tmp",
        ".m.h51234-0123abcd.weightkit-tmp",
        ".mxh5.1234-0123abcd.weightkit-tmp",
        ".m.h5.weightkit-tmp",
        "m.h5.1234-0123abcd.weightkit-tmp",
        ".m.h5.bak.1234-0123abcd.weightkit-old",
        ".other.h5.1234-0123abcd.weightkit-old",
    ],
)
def test_files_of_other_names_stay(path: Path, name: str) -> None:
    path.with_name(name).write_bytes(b"somebody else's")
    before = Folder.of(path.parent)
    assert clear_leftovers(path) == []
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("suffix", ["tmp", "old"])
def test_links_folders_and_pipes_of_such_a_name_stay(path: Path, suffix: str) -> None:
    for number, create in enumerate([lambda name: name.symlink_to("m.h5"), Path.mkdir, os.mkfifo]):
        create(path.with_name(f".m.h5.{number}-0123abcd.weightkit-{suffix}"))
    before = Folder.of(path.parent)
    assert clear_leftovers(path) == []
    assert Folder.of(path.parent) == before


def test_what_another_user_left_and_we_may_not_open_stays(public: Path) -> None:
    path = public / "m.h5"
    path.write_bytes(b"old")
    leftover(path).chmod(0o600)
    before = Folder.of(public)
    with unprivileged():
        assert clear_leftovers(path) == []
    assert Folder.of(public) == before or os.geteuid() != 0


# The old file's hidden link


@pytest.fixture
def source(path: Path) -> Iterator[Any]:
    with closing(OpenFile(path)) as opened:
        opened.lock(exclusive=True)
        yield opened


def test_an_old_link_of_the_file_itself_goes(path: Path, source: Any) -> None:
    os.link(path, path.with_name(f".m.h5.{MARK}.weightkit-old"))
    assert clear_leftovers(path, source) == []
    assert contents(path.parent) == {"m.h5": b"old"}


def test_an_old_link_of_the_file_itself_stays_while_somebody_else_holds_the_file(path: Path, source: Any) -> None:
    os.link(path, path.with_name(f".m.h5.{MARK}.weightkit-old"))
    before = Folder.of(path.parent)
    assert source.alone
    assert clear_leftovers(path) == []
    assert Folder.of(path.parent) == before


def test_an_old_link_that_is_a_backup_already_goes(path: Path) -> None:
    old = leftover(path, "old")
    os.link(old, path.with_name("m.h5.bak.3"))
    assert clear_leftovers(path) == []
    assert contents(path.parent) == {"m.h5": b"old", "m.h5.bak.3": b"leftover"}


def test_an_old_link_that_is_the_only_one_of_its_file_becomes_the_next_backup_and_that_is_said(path: Path) -> None:
    leftover(path, "old", b"before")
    path.with_name("m.h5.bak.4").write_bytes(b"earlier")
    outcome = edit(path)
    kept = path.with_name("m.h5.bak.5")
    assert outcome.notes == (f"a killed edit left a copy of the old file: it is kept as {kept}",)
    assert kept.read_bytes() == b"before"
    assert path.with_name("m.h5.bak.6").read_bytes() == b"old"


def test_an_old_link_is_kept_even_where_its_file_is_gone(path: Path) -> None:
    leftover(path, "old", b"before")
    path.unlink()
    assert clear_leftovers(path) == [path.with_name("m.h5.bak")]
    assert contents(path.parent) == {"m.h5.bak": b"before"}


@pytest.mark.parametrize("name", ["m[1]*.h5", "é\udcff\udc80.h5", "x" * 196, "x" * 197, "模" * 80])
def test_leftovers_of_odd_names_are_known(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with OpenFile(path) as source:
        destination = Destination()
        abandoned = Replacement(source, destination, target_of(source, destination), 3)
        os.close(abandoned.fd)  # as the kernel does for the killed
    assert len(list(tmp_path.iterdir())) == 2
    assert edit(path).backup == Path(f"{path}.bak")
    assert sorted(contents(tmp_path).values()) == [b"next", b"old"]


def test_two_long_names_that_begin_alike_do_not_share_their_leftovers(tmp_path: Path) -> None:
    first, second = tmp_path / ("x" * 220 + "1"), tmp_path / ("x" * 220 + "2")
    for path in (first, second):
        path.write_bytes(b"old")
    with OpenFile(first) as source:
        abandoned = Replacement(source, Destination(), target_of(source, Destination()), 3)
        os.close(abandoned.fd)
    before = Folder.of(tmp_path)
    clear_leftovers(second)
    assert Folder.of(tmp_path) == before

"""Backups listed and put back: nothing is ever overwritten, and nothing is lost, whenever it is killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from killed import killed_at_every_step
from support import Folder, halve, write_variables

from weightkit import list_backups, open_weights, restore
from weightkit.access.files import replace
from weightkit.access.files import restore as library
from weightkit.errors import BusyError, DurabilityError, MachineError, RequestError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import NoReturn

ACT = """
from weightkit.surgery.restore import restore
def act():
    restore("m.h5")
"""


@pytest.fixture
def path(tmp_path: Path) -> Any:
    """A file with three backups."""
    make(tmp_path)
    return tmp_path / "m.h5"


def make(folder: Path) -> None:
    for name, content in {"m.h5": b"now", "m.h5.bak": b"zero", "m.h5.bak.1": b"one", "m.h5.bak.2": b"two!"}.items():
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def fails_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"m.h5"


def test_a_file_that_holds_no_weights_is_restored_and_said_to_be_none(path: Path) -> None:
    for dry_run in (True, False):
        done = restore(path, dry_run=dry_run)
        (warning,) = done.warnings
        assert warning.startswith("what is restored is not a file of weights: ")
        assert done.to_dict()["notes"] == [warning, *done.notes]
    assert path.read_bytes() == b"two!"


def test_its_record_is_json_whatever_kind_of_boolean_it_was_given(path: Path) -> None:
    done = restore(path, dry_run=np.bool_(True))  # type: ignore[arg-type]
    assert json.loads(json.dumps(done.to_dict()))["dry_run"] is True


def test_of_a_file_of_weights_only_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    write_variables(tmp_path / "m.h5.bak", {"layers/dense/vars/0": np.ones(2)})
    assert restore(tmp_path / "m.h5").warnings == ()
    with h5py.File(tmp_path / "m.h5.bak", "w") as file:
        file.attrs["layer_names"] = [b"a", b"b"]
        file.create_group("a")
    (warning,) = restore(tmp_path / "m.h5").warnings
    assert "its lists name 1 layer (b), which it does not hold" in warning


def test_a_damaged_archive_is_restored_and_said_to_be_damaged(tmp_path: Path) -> None:
    values = np.arange(4, dtype="f4") + 0.7
    write_variables(tmp_path / "w.h5", {"layers/dense/vars/0": values})
    with zipfile.ZipFile(tmp_path / "m.keras.bak", "w") as archive:
        archive.write(tmp_path / "w.h5", "model.weights.h5")
    assert restore(tmp_path / "m.keras").warnings == ()
    content = (tmp_path / "m.keras").read_bytes()
    damaged = content.replace(values.tobytes(), np.negative(values).tobytes())
    (tmp_path / "m.keras.bak").write_bytes(damaged)
    for dry_run in (True, False):
        (warning,) = restore(tmp_path / "m.keras", dry_run=dry_run).warnings
        assert warning.startswith("what is restored is damaged: model.weights.h5: its checksum must be ")
    assert (tmp_path / "m.keras").read_bytes() == damaged != content


@pytest.mark.parametrize("target", [5, None, b"m.h5", BytesPath(), ["m.h5"]])
def test_what_is_no_path_has_no_backups(target: Any) -> None:
    for act in (list_backups, restore):
        with pytest.raises(RequestError, match="the file must be given by its path, got ") as raised:
            act(target)
        assert raised.value.problem.endswith(type(target).__name__)


def test_an_open_store_is_no_path_to_restore(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.h5", {"layers/a/vars/0": np.zeros(3)})
    with open_weights(path) as store, pytest.raises(RequestError, match="by its path, got FileStore"):
        list_backups(store)  # type: ignore[arg-type]


# Which


def test_backups_are_listed_the_latest_first_with_their_sizes_and_dates(path: Path) -> None:
    os.utime(path.with_name("m.h5.bak.2"), (0, 0))
    listed = list_backups(path)
    assert [(backup.number, backup.path.name, backup.size) for backup in listed.found] == [
        (2, "m.h5.bak.2", 4),
        (1, "m.h5.bak.1", 3),
        (0, "m.h5.bak", 4),
    ]
    record = listed.to_dict()
    assert list(record) == ["schema", "file", "backups", "bytes"]
    assert (record["schema"], record["file"], record["bytes"]) == ("weightkit.backups/1", str(path), 11)
    assert record["backups"][0] == {
        "number": 2,
        "path": str(path.with_name("m.h5.bak.2")),
        "bytes": 4,
        "modified": "1970-01-01T00:00:00+00:00",
        "problem": None,
    }


@pytest.mark.parametrize(
    "name", ["m.h5.bak.20260131", "m.h5.bak.01", "m.h5.bak.x", "m.h5.bak.1.h5", "mxh5.bak", "m.h5.baks"]
)
def test_files_of_other_names_are_no_backups(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.h5").write_bytes(b"now")
    (tmp_path / name).write_bytes(b"other")
    assert list_backups(tmp_path / "m.h5").found == ()


def test_the_latest_by_number_is_put_back_whatever_the_times_say_and_the_file_becomes_the_latest(path: Path) -> None:
    os.utime(path.with_name("m.h5.bak.2"), (0, 0))
    inodes = path.stat().st_ino, path.with_name("m.h5.bak.2").stat().st_ino
    done = restore(path)
    assert (done.backup.number, done.kept, done.path) == (2, path.with_name("m.h5.bak.2"), path)
    assert contents(path.parent) == {"m.h5": b"two!", "m.h5.bak": b"zero", "m.h5.bak.1": b"one", "m.h5.bak.2": b"now"}
    assert (done.kept.stat().st_ino, path.stat().st_ino) == inodes


def test_restoring_twice_leads_back(path: Path) -> None:
    before = Folder.of(path.parent)
    restore(path)
    assert restore(path).kept.read_bytes() == b"two!"
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("to", [1, "1", "01", "m.h5.bak.1"])
def test_a_backup_is_named_by_its_number_or_its_name(path: Path, to: Any) -> None:
    assert restore(path, to).backup.number == 1
    assert path.read_bytes() == b"one"


def test_a_backup_is_named_by_its_path_as_well(path: Path) -> None:
    restore(path, str(path.with_name("m.h5.bak")))
    assert path.read_bytes() == b"zero"


def test_the_file_becomes_the_latest_backup_also_where_an_earlier_one_is_put_back(path: Path) -> None:
    restore(path, 0)
    assert contents(path.parent) == {"m.h5": b"zero", "m.h5.bak.1": b"one", "m.h5.bak.2": b"two!", "m.h5.bak.3": b"now"}


def test_without_a_backup_the_file_as_it_is_goes(path: Path) -> None:
    assert restore(path, backup=False).kept is None
    assert contents(path.parent) == {"m.h5": b"two!", "m.h5.bak": b"zero", "m.h5.bak.1": b"one"}


def test_a_file_that_is_gone_comes_back(path: Path) -> None:
    path.unlink()
    assert restore(path).kept is None
    assert contents(path.parent) == {"m.h5": b"two!", "m.h5.bak": b"zero", "m.h5.bak.1": b"one"}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(path: Path) -> None:
    path.with_name(".m.h5.1-0123abcd.weightkit-tmp").write_bytes(b"left")
    before = Folder.of(path.parent)
    done = restore(path, dry_run=True)
    assert (done.backup.number, done.kept, done.dry_run) == (2, None, True)
    assert Folder.of(path.parent) == before


def test_an_edit_and_its_restore_lead_back_bit_for_bit_with_mode_owner_and_attributes(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.weights.h5", {"layers/a/vars/0": [1.0, 2.0]})
    path.chmod(0o640)
    os.setxattr(path, "user.origin", b"here")
    before, status = path.read_bytes(), path.stat()
    halve(path)
    edited = path.read_bytes()
    restore(path)
    assert path.read_bytes() == before
    assert (path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_ino) == (
        status.st_mode,
        status.st_mtime_ns,
        status.st_ino,
    )
    assert os.getxattr(path, "user.origin") == b"here"
    assert path.with_name("m.weights.h5.bak").read_bytes() == edited
    assert halve(path).backup.name == "m.weights.h5.bak.1"


def test_a_symbolic_link_is_followed_to_the_file_and_its_backups(path: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "l.h5"
    link.symlink_to("../m.h5")
    done = restore(link)
    assert path.read_bytes() == b"two!"
    assert link.is_symlink()
    assert [note for note in done.notes if "is a symbolic link" in note and str(path) in note]


def test_what_killed_edits_left_counts_as_the_latest_backup(path: Path) -> None:
    path.with_name(".m.h5.1-0123abcd.weightkit-old").write_bytes(b"before")
    done = restore(path)
    assert path.read_bytes() == b"before"
    assert "a killed edit left" in done.notes[0]


# Killed


def test_a_restore_killed_at_any_step_loses_nothing_and_the_next_one_clears_up(tmp_path: Path) -> None:
    found = []
    for folder in killed_at_every_step(tmp_path, make, ACT):
        left = contents(folder)
        found.append(left["m.h5"])
        assert sorted(set(left.values())) == [b"now", b"one", b"two!", b"zero"]
        restore(folder / "m.h5", 1)
        after = contents(folder)
        assert after["m.h5"] == b"one"
        assert sorted(after.values()) == [b"now", b"one", b"two!", b"zero"]
        assert [name for name in after if name.startswith(".")] == []
        assert all(entry.stat().st_nlink == 1 for entry in folder.iterdir())
    assert found == sorted(found)
    assert set(found) == {b"now", b"two!"}


def test_a_restore_of_a_file_that_is_gone_killed_at_any_step_loses_nothing(tmp_path: Path) -> None:
    def make_without(folder: Path) -> None:
        make(folder)
        (folder / "m.h5").unlink()

    for folder in killed_at_every_step(tmp_path, make_without, ACT):
        assert sorted(set(contents(folder).values())) == [b"one", b"two!", b"zero"]
        assert not (folder / "m.h5").exists() or (folder / "m.h5").read_bytes() == b"two!"


@pytest.mark.parametrize("backup", [True, False])
def test_where_links_are_not_known_a_killed_restore_loses_nothing_either(tmp_path: Path, backup: bool) -> None:
    code = f"""
from weightkit.surgery.restore import restore
def denied(*_):
    raise PermissionError(1, "no links here")
def act():
    os.link = denied
    restore("m.h5", backup={backup})
"""
    for folder in killed_at_every_step(tmp_path, make, code):
        left = contents(folder)
        assert left["m.h5"] in {b"now", b"two!"}
        assert {b"zero", b"one", b"two!"} <= set(left.values())
        assert not backup or b"now" in left.values()


# Failing


def test_without_a_backup_there_is_nothing_to_restore(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"now")
    with pytest.raises(RequestError, match=r"it has no backup: there is no m\.h5\.bak"):
        restore(tmp_path / "m.h5")
    with pytest.raises(RequestError, match="no backup"):
        restore(tmp_path / "nothing.h5")
    with pytest.raises(RequestError, match="no such file, nor its folder"):
        restore(tmp_path / "nowhere" / "m.h5")


@pytest.mark.parametrize("to", [3, "7", "m.h5", "bak", "other.h5.bak", "/etc/passwd", ".", "", "-1", "²"])
def test_what_is_no_backup_is_not_restored(path: Path, to: Any) -> None:
    before = Folder.of(path.parent)
    with pytest.raises(RequestError, match=r"it has no backup .*, but m\.h5\.bak\.2, m\.h5\.bak\.1, m\.h5\.bak"):
        restore(path, to)
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (lambda backup, other: backup.symlink_to(other), "it is a symbolic link"),
        (lambda backup, _: backup.mkdir(), "it is a folder"),
        (lambda backup, _: os.mkfifo(backup), "it is a pipe or a device"),
        (lambda backup, other: os.link(other, backup), "it has 2 hard links"),
    ],
)
def test_a_backup_that_is_no_file_of_its_own_is_listed_and_not_put_back(path: Path, create: Any, reason: str) -> None:
    path.with_name("other").write_bytes(b"other")
    create(path.with_name("m.h5.bak.3"), path.with_name("other"))
    before = Folder.of(path.parent)
    with pytest.raises(RequestError, match=rf"m\.h5\.bak\.3 cannot be put back: {reason}"):
        restore(path)
    assert Folder.of(path.parent) == before
    assert list_backups(path).found[0].objection.startswith(reason)
    assert restore(path, 2).backup.number == 2


def test_a_backup_that_is_the_file_itself_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(b"now")
    os.link(tmp_path / "m.h5", tmp_path / "m.h5.bak")
    with pytest.raises(RequestError, match=r"m\.h5\.bak is the file itself"):
        restore(tmp_path / "m.h5")


def test_a_file_with_other_hard_links_is_parted_when_that_is_asked_for_and_its_backup_is_a_copy(path: Path) -> None:
    os.link(path, path.with_name("other.h5"))
    before = Folder.of(path.parent)
    with pytest.raises(RequestError, match=r"it has 2 hard links.*--break-links"):
        restore(path)
    assert Folder.of(path.parent) == before
    done = restore(path, break_links=True)
    assert (path.read_bytes(), path.with_name("other.h5").read_bytes(), done.kept.read_bytes()) == (
        b"two!",
        b"now",
        b"now",
    )
    assert all(entry.stat().st_nlink == 1 for entry in path.parent.iterdir())


@pytest.mark.parametrize("name", ["m.h5", "m.h5.bak.2"])
def test_what_somebody_else_holds_is_not_touched(path: Path, name: str) -> None:
    before = Folder.of(path.parent)
    with path.with_name(name).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(BusyError):
            restore(path)
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("call", ["link", "replace"])
def test_a_restore_that_fails_leaves_everything_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = Folder.of(path.parent)
    monkeypatch.setattr(os, call, fails_with(errno.EIO))
    with pytest.raises(MachineError, match="restoring failed: Input/output error"):
        restore(path)
    assert Folder.of(path.parent) == before


def test_a_restore_whose_file_cannot_become_a_backup_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(path.parent)
    whole = os.link

    def link(source: Any, target: Any) -> None:
        if str(target).endswith(".bak.2") and str(source).endswith("-old"):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(MachineError, match="No space left"):
        restore(path)
    assert contents(path.parent) == before


def test_where_even_that_fails_nothing_is_lost_and_the_truth_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.link

    def link(source: Any, target: Any) -> None:
        if not str(target).endswith("-old"):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", link)
        with pytest.raises(DurabilityError, match="its backup could not be renamed and is"):
            restore(path)
    assert path.read_bytes() == b"two!"
    assert sorted(contents(path.parent).values()) == [b"now", b"one", b"two!", b"zero"]
    restore(path, 0)
    assert sorted(contents(path.parent).values()) == [b"now", b"one", b"two!", b"zero"]
    assert [name for name in contents(path.parent) if name.startswith(".")] == []


def test_a_folder_that_the_disk_does_not_confirm_is_said_after_the_restore(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        whole(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DurabilityError, match="replaced, durability not confirmed"):
        restore(path)
    assert path.read_bytes() == b"two!"
    assert path.with_name("m.h5.bak.2").read_bytes() == b"now"


def test_a_file_that_appears_while_it_is_restored_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.unlink()
    whole = os.link

    def link(source: Any, target: Any) -> None:
        path.write_bytes(b"appeared")
        whole(source, target)

    monkeypatch.setattr(replace.os, "link", link)
    with pytest.raises(BusyError, match="somebody else has just made this file"):
        restore(path)
    assert contents(path.parent) == {
        "m.h5": b"appeared",
        "m.h5.bak": b"zero",
        "m.h5.bak.1": b"one",
        "m.h5.bak.2": b"two!",
    }


@pytest.mark.parametrize("name", ["m.h5", "m.h5.bak.2"])
def test_a_file_that_changes_while_it_is_restored_wins(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: path.with_name(name).write_bytes(b"changed"))
    with pytest.raises(BusyError, match="another process changed the file"):
        restore(path)
    assert contents(path.parent)[name] == b"changed"
    assert len(contents(path.parent)) == 4


def test_a_backup_that_is_replaced_just_before_it_is_opened_is_not_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(*_: object) -> None:
        path.with_name("other").write_bytes(b"other")
        path.with_name("other").replace(path.with_name("m.h5.bak.2"))

    monkeypatch.setattr(library, "_require_whole", swap)
    with pytest.raises(BusyError, match=r"m\.h5\.bak\.2 was replaced by somebody else"):
        restore(path)
    assert path.read_bytes() == b"now"


@pytest.mark.parametrize("name", ["é\udcff.h5", "x" * 249, "a\nb.h5", "-m.h5"])
def test_files_of_odd_names_are_restored(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"now")
    (tmp_path / f"{name}.bak").write_bytes(b"zero")
    restore(tmp_path / name)
    assert contents(tmp_path) == {name: b"zero", f"{name}.bak": b"now"}


def test_a_name_too_long_for_a_backup_is_said_before_anything_is_done(tmp_path: Path) -> None:
    name = "x" * 250
    (tmp_path / name).write_bytes(b"now")
    (tmp_path / f"{name}.bak").write_bytes(b"zero")
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match="the name of its backup would be too long"):
        restore(tmp_path / name)
    assert Folder.of(tmp_path) == before
    restore(tmp_path / name, backup=False)
    assert contents(tmp_path) == {name: b"zero"}

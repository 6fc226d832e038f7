"""The new file replaces the old one: whole or not at all, the old one kept, nothing left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import Folder, digest, half, halve, unprivileged, write_variables

from weightkit import open_weights
from weightkit.access.store import Destination
from weightkit.errors import BusyError, DurabilityError, MachineError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
NEW = {"layers/a/vars/0": half(KERNEL), "layers/b/vars/0": half(KERNEL)}


@pytest.fixture
def path(tmp_path: Path) -> Any:
    return write_variables(tmp_path / "model.weights.h5", {"layers/a/vars/0": KERNEL, "layers/b/vars/0": KERNEL})


def values(path: Path) -> Any:
    with h5py.File(path) as file:
        return {name: file[name][()].tolist() for name in NEW}


def is_halved(path: Path) -> Any:
    return values(path) == {name: expected.tolist() for name, expected in NEW.items()}


@contextlib.contextmanager
def half_done(path: Path, destination: Destination = Destination()) -> Iterator[Any]:  # noqa: B008  # it is frozen
    """A half-done edit: one of two weights is written; the other is written after the body."""
    with open_weights(path, editable=True) as store:
        first, second = store
        with store.editing([first, second], destination) as sink:
            sink.write(first, half(store.read(first)))
            yield
            sink.write(second, half(store.read(second)))


def hidden(folder: Path) -> Any:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]


def fails_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


# In place


def test_in_place_the_file_is_replaced_and_the_old_one_is_the_backup_itself(path: Path) -> None:
    before, inode = path.read_bytes(), path.stat().st_ino
    outcome = halve(path)
    backup = path.with_name("model.weights.h5.bak")
    assert (outcome.output, outcome.backup) == (path, backup)
    assert is_halved(path)
    assert backup.read_bytes() == before
    assert backup.stat().st_ino == inode
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, backup.name]


def test_no_backup_is_ever_overwritten(path: Path) -> None:
    texts = []
    for _ in range(4):
        texts.append(path.read_bytes())
        halve(path)
    names = [f"model.weights.h5.bak{end}" for end in ("", ".1", ".2", ".3")]
    assert [path.with_name(name).read_bytes() for name in names] == texts
    path.with_name(names[1]).unlink()
    current = path.read_bytes()
    latest = path.with_name("model.weights.h5.bak.4")
    assert halve(path).backup == latest  # the gap stays: a higher number is the later backup
    assert latest.read_bytes() == current


def test_a_folder_or_a_dangling_link_of_the_backup_s_name_is_left_alone(path: Path) -> None:
    path.with_name("model.weights.h5.bak").mkdir()
    path.with_name("model.weights.h5.bak.1").symlink_to("nowhere")
    assert halve(path).backup == path.with_name("model.weights.h5.bak.2")
    assert not path.with_name("nowhere").exists()


def test_without_a_backup_none_is_kept(path: Path) -> None:
    outcome = halve(path, Destination(backup=False))
    assert outcome.backup is None
    assert is_halved(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
@pytest.mark.parametrize("links", [True, False])
def test_mode_owner_and_extended_attributes_stay_with_the_file_and_its_backup(
    path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, links: bool
) -> None:
    owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    os.setxattr(path, "user.origin", b"here")
    path.chmod(mode)
    before = path.stat()
    if not links:
        monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    backup = halve(path).backup
    for kept in (path, backup):
        status = kept.stat()
        assert (status.st_uid, status.st_gid) == owner
        assert stat.S_IMODE(status.st_mode) == mode
        assert os.getxattr(kept, "user.origin") == b"here"
    assert backup.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755, 0o1644])
@pytest.mark.parametrize("links", [True, False])
def test_set_user_id_set_group_id_and_sticky_bits_go_from_the_file_and_its_backup(
    path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, links: bool
) -> None:
    path.chmod(mode)
    if not links:
        monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    outcome = halve(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode & 0o777
    assert stat.S_IMODE(outcome.backup.stat().st_mode) == mode & 0o777
    assert f"its mode was {mode:04o} and is {mode & 0o777:04o} now" in outcome.notes


def test_special_bits_stay_with_the_other_names_of_a_file_whose_links_are_broken(path: Path) -> None:
    other = path.with_name("other.h5")
    os.link(path, other)
    path.chmod(0o4755)
    halve(path, Destination(break_links=True))
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, other)] == [0o755, 0o4755]


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o555])
def test_a_file_that_its_owner_made_read_only_is_not_replaced(path: Path, tmp_path: Path, mode: int) -> None:
    path.chmod(mode)
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match=rf"the file is read-only \(mode {mode:04o}\)"):
        halve(path)
    with open_weights(path) as store, pytest.raises(RequestError, match="the file is read-only"):
        store.require_possible(list(store))
    assert Folder.of(tmp_path) == before
    halve(path, Destination(tmp_path / "out.weights.h5"))
    assert is_halved(tmp_path / "out.weights.h5")


def test_an_output_that_is_overwritten_stays_as_private_as_it_was(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.weights.h5"
    out.write_bytes(b"theirs")
    out.chmod(0o600)
    path.chmod(0o644)
    owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(out, *owner)
    os.setxattr(out, "user.origin", b"there")
    assert halve(path, Destination(out, overwrite=True)).notes == ()
    status = out.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, *owner)
    assert os.getxattr(out, "user.origin") == b"there"
    assert is_halved(out)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set security.capability")
def test_capabilities_of_a_file_are_never_carried_over(path: Path) -> None:
    capabilities = bytes.fromhex("0100000200200000000000000000000000000000")  # CAP_NET_RAW, effective
    os.setxattr(path, "security.capability", capabilities)
    halve(path)
    assert "security.capability" not in os.listxattr(path)


def test_a_symbolic_link_stays_one_and_target_and_backup_lie_together(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.weights.h5"
    link.symlink_to("../model.weights.h5")
    outcome = halve(link)
    assert link.readlink() == Path("../model.weights.h5")
    assert (outcome.output, outcome.backup) == (path, path.with_name("model.weights.h5.bak"))
    said = f"{link} is a symbolic link: {path} is edited, and its backups are next to it"
    assert outcome.notes == (said,)
    assert is_halved(path)
    assert [entry.name for entry in link.parent.iterdir()] == ["link.weights.h5"]


def test_a_file_with_two_hard_links_is_not_parted(path: Path, tmp_path: Path) -> None:
    os.link(path, tmp_path / "other.h5")
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match=r"has 2 hard links.*--break-links"):
        halve(path)
    assert Folder.of(tmp_path) == before


def test_a_file_with_two_hard_links_is_parted_where_that_is_asked_for_and_its_backup_is_nobody_else_s(
    path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.h5"
    os.link(path, other)
    before, inode = path.read_bytes(), path.stat().st_ino
    outcome = halve(path, Destination(break_links=True))
    assert outcome.notes == ("it had 2 hard links: the others keep the old content",)
    assert is_halved(path)
    assert (other.read_bytes(), other.stat().st_ino) == (before, inode)
    assert outcome.backup.read_bytes() == before
    assert [name.stat().st_nlink for name in (path, other, outcome.backup)] == [1, 1, 1]


def test_leave_to_part_links_changes_nothing_where_there_are_none(path: Path) -> None:
    outcome = halve(path, Destination(break_links=True))
    assert outcome.notes == ()
    assert outcome.backup.exists()


def test_an_edit_says_what_all_backups_of_the_file_take(path: Path) -> None:
    size = path.stat().st_size
    path.with_name("model.weights.h5.bak").symlink_to(path)
    outcomes = [halve(path), halve(path), halve(path, Destination(backup=False))]
    assert [(outcome.backups, outcome.backups_bytes) for outcome in outcomes] == [
        (2, size),
        (3, 2 * size),
        (3, 2 * size),
    ]


def test_where_links_are_not_known_the_backup_is_a_copy_complete_before_the_replacement(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    path.with_name("model.weights.h5.bak").write_bytes(b"older")
    monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    whole = Path.replace
    seen = []

    def replace(self: Path, target: Path) -> Any:
        if target == path:
            seen.append(Path(f"{target}.bak.1").read_bytes())
        return whole(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    backup = halve(path).backup
    assert seen == [before]
    assert backup.read_bytes() == before
    assert path.with_name("model.weights.h5.bak").read_bytes() == b"older"
    assert is_halved(path)
    assert hidden(path.parent) == []


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("backup", [True, False])
def test_a_replacement_that_fails_leaves_the_original_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, backup: bool
) -> None:
    before = Folder.of(path.parent)
    if not links:
        monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    monkeypatch.setattr(Path, "replace", fails_with(errno.EIO))
    monkeypatch.setattr(os, "replace", fails_with(errno.EIO))
    with pytest.raises(MachineError, match="putting the edited file in place failed: Input/output error"):
        halve(path, Destination(backup=backup))
    assert Folder.of(path.parent) == before


def test_a_backup_that_cannot_be_copied_leaves_the_original_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Folder.of(path.parent)
    whole = os.fsync
    calls = []

    def fsync(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(fd)

    monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(MachineError, match="No space left"):
        halve(path)
    assert Folder.of(path.parent) == before


def test_a_name_too_long_for_a_backup_is_said_before_anything_is_written(path: Path) -> None:
    longest = path.rename(path.with_name("m" * 252 + ".h5"[:3]))
    before = Folder.of(longest.parent)
    with pytest.raises(RequestError, match="the name of its backup would be too long — give --no-backup"):
        halve(longest)
    assert Folder.of(longest.parent) == before
    halve(longest, Destination(backup=False))
    assert is_halved(longest)


def test_a_long_name_of_wide_letters_leaves_room_for_the_temporary_one(path: Path) -> None:
    wide = path.rename(path.with_name("模" * 80 + ".h5"))
    assert halve(wide).backup.exists()
    assert is_halved(wide)


# Elsewhere


def test_an_output_is_a_new_file_and_the_input_stays_untouched(path: Path, tmp_path: Path) -> None:
    before = Folder.of(tmp_path)
    outcome = halve(path, Destination(tmp_path / "out.weights.h5"))
    assert (outcome.output, outcome.backup) == (tmp_path / "out.weights.h5", None)
    assert is_halved(tmp_path / "out.weights.h5")
    (tmp_path / "out.weights.h5").unlink()
    assert Folder.of(tmp_path) == before


def test_an_output_is_as_private_as_the_input(path: Path, tmp_path: Path) -> None:
    path.chmod(0o600)
    halve(path, Destination(tmp_path / "out.weights.h5"))
    assert stat.S_IMODE((tmp_path / "out.weights.h5").stat().st_mode) == 0o600


def test_an_output_may_lie_on_another_file_system(path: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, 1 << 20) as disk:
        halve(path, Destination(disk / "out.weights.h5"))
        assert is_halved(disk / "out.weights.h5")
        assert hidden(disk) == []


def test_an_output_that_exists_is_kept_unless_it_may_be_overwritten(path: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.weights.h5"
    output.write_bytes(b"precious")
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match="the output exists already"), half_done(path, Destination(output)):
        pytest.fail("the edit began")
    assert Folder.of(tmp_path) == before
    halve(path, Destination(output, overwrite=True))
    assert is_halved(output)


def same(path: Path, _: Path) -> Any:
    return path


def through_a_symbolic_link(path: Path, tmp_path: Path) -> Any:
    (tmp_path / "link.weights.h5").symlink_to(path)
    return tmp_path / "link.weights.h5"


def through_a_hard_link(path: Path, tmp_path: Path) -> Any:
    os.link(path, tmp_path / "hard.weights.h5")
    return tmp_path / "hard.weights.h5"


def by_a_relative_path(path: Path, tmp_path: Path) -> Any:
    (tmp_path / "sub").mkdir()
    return tmp_path / "sub" / ".." / path.name


@pytest.mark.parametrize("other_name", [same, through_a_symbolic_link, through_a_hard_link, by_a_relative_path])
def test_an_output_that_is_the_input_is_refused_even_with_leave_to_overwrite(
    path: Path, tmp_path: Path, other_name: Callable[[Path, Path], Path]
) -> None:
    output = other_name(path, tmp_path)
    before = Folder.of(tmp_path)
    with pytest.raises(RequestError, match="the output is the input"):
        halve(path, Destination(output, overwrite=True))
    assert Folder.of(tmp_path) == before


def test_an_output_that_cannot_be_is_refused_before_anything_is_written(path: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to("round")
    before = Folder.of(tmp_path)
    for output, reason in [
        ("nowhere/out.weights.h5", "the folder .*nowhere does not exist"),
        ("folder", "the output is a folder"),
        ("pipe", "the output is a pipe or a device"),
        ("model.weights.h5/out.weights.h5", "the folder .* does not exist"),
        ("round", "the output path is invalid"),
        ("nu\0ll", "the output path is invalid"),
    ]:
        with pytest.raises(RequestError, match=reason):
            halve(path, Destination(tmp_path / output, overwrite=True))
    assert Folder.of(tmp_path) == before


def test_a_dangling_link_as_output_is_filled_where_it_leads(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.weights.h5").symlink_to("led.weights.h5")
    assert halve(path, Destination(tmp_path / "link.weights.h5")).output == tmp_path / "led.weights.h5"
    assert (tmp_path / "link.weights.h5").readlink() == Path("led.weights.h5")
    assert is_halved(tmp_path / "led.weights.h5")


@pytest.mark.parametrize("links", [True, False])
def test_an_output_that_appears_during_the_edit_is_kept(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    output = tmp_path / "out.weights.h5"
    if not links:
        monkeypatch.setattr(os, "link", fails_with(errno.EPERM))
    with (
        pytest.raises(RequestError, match="the output exists already"),
        half_done(path, Destination(output)),
    ):
        output.write_bytes(b"precious")
    assert output.read_bytes() == b"precious"
    assert hidden(tmp_path) == []


def test_where_links_are_not_known_an_output_is_put_in_place_all_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", fails_with(errno.EOPNOTSUPP))
    halve(path, Destination(tmp_path / "out.weights.h5"))
    assert is_halved(tmp_path / "out.weights.h5")
    assert hidden(tmp_path) == []


def test_a_folder_where_nobody_may_write_is_the_machine_s_no(public: Path) -> None:
    path = write_variables(public / "model.h5", {"layers/a/vars/0": KERNEL})
    path.chmod(0o644)
    (public / "closed").mkdir(mode=0o555)
    (public / "dark").mkdir(mode=0o000)
    before = Folder.of(public)
    for destination in (Destination(), Destination(public / "closed" / "out.weights.h5")):
        with pytest.raises(MachineError, match=r"nothing can be written in .*: Permission denied"):
            halve_unprivileged(path, destination)
    with pytest.raises(MachineError, match="looking at the output failed: Permission denied"):
        halve_unprivileged(path, Destination(public / "dark" / "out.weights.h5"))
    assert Folder.of(public) == before


def halve_unprivileged(path: Path, destination: Destination) -> Any:
    """Like `halve`, as an unprivileged user; the reading process starts first, since its files may be private."""
    with open_weights(path, editable=True) as store:
        refs = list(store)
        with unprivileged(), store.editing(refs, destination) as sink:
            for ref in refs:
                sink.write(ref, half(store.read(ref)))
        return sink.outcome


def test_a_user_who_does_not_own_the_file_may_still_replace_it_in_a_folder_of_theirs(public: Path) -> None:
    path = write_variables(public / "model.h5", {"layers/a/vars/0": KERNEL})
    path.chmod(0o644)
    public.chmod(0o777)
    before = path.read_bytes()
    halve_unprivileged(path, Destination())
    assert (public / "model.h5.bak").read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(
    ("mode", "kept"), [(0o6755, 0o755), (0o664, 0o644), (0o640, 0o600), (0o2666, 0o666), (0o602, 0o602)]
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_where_owner_and_group_cannot_be_kept_the_mode_is_narrowed_and_that_is_said(
    public: Path, mode: int, kept: int, elsewhere: bool
) -> None:
    path = write_variables(public / "model.h5", {"layers/a/vars/0": KERNEL})
    path.chmod(0o644)
    taken = public / "out.weights.h5" if elsewhere else path
    taken.touch()
    taken.chmod(mode)
    public.chmod(0o777)
    outcome = halve_unprivileged(path, Destination(taken, overwrite=True) if elsewhere else Destination())
    status = taken.stat()
    assert (status.st_uid, status.st_gid) == (65534, 65534)
    assert stat.S_IMODE(status.st_mode) == kept
    said = "\n".join(outcome.notes)
    assert "its owner was user 0 and is user 65534 now" in said
    assert "its group was group 0 and is group 65534 now" in said
    assert (f"its mode was {mode:04o} and is {kept:04o} now" in said) == (mode != kept)
    if outcome.backup is not None and outcome.backup.stat().st_mode & 0o7000:
        # The old file itself, which only its owner may change; of set-user-ID files, Linux lets others make no link.
        assert outcome.backup.stat().st_uid == 0
        assert f"the backup is somebody else's and keeps its mode {mode:04o}" in said


@pytest.mark.parametrize("kept", [False, True])
def test_a_folder_that_may_be_written_to_and_not_listed(public: Path, kept: bool) -> None:
    path = write_variables(public / "model.h5", {"layers/a/vars/0": KERNEL})
    path.chmod(0o644)
    public.chmod(0o733)
    before = Folder.of(public)
    if kept:
        with pytest.raises(MachineError, match="cannot be listed, so its backups cannot be numbered"):
            halve_unprivileged(path, Destination())
        assert Folder.of(public) == before
    else:
        halve_unprivileged(path, Destination(backup=False))
        halve_unprivileged(path, Destination(public / "out.weights.h5"))
        assert sorted(entry.name for entry in public.iterdir()) == ["model.h5", "out.weights.h5"]


# Interrupted


def test_an_edit_that_is_given_up_leaves_no_trace(path: Path) -> None:
    before = Folder.of(path.parent)
    with pytest.raises(ZeroDivisionError), half_done(path):  # noqa: PT012  # what is raised in the block matters
        assert len(hidden(path.parent)) == 1
        raise ZeroDivisionError
    assert Folder.of(path.parent) == before


def test_the_file_is_the_old_one_until_the_edit_is_complete(path: Path) -> None:
    before = digest(path)
    with half_done(path):
        assert digest(path) == before
        assert [entry.name for entry in path.parent.iterdir() if entry.suffix == ".bak"] == []
    assert is_halved(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def replace(path: Path) -> None:
    path.with_name("other").write_bytes(path.read_bytes())
    path.with_name("other").replace(path)


def write_and_put_the_time_back(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_private(path: Path) -> None:
    path.chmod(0o600)


def link(path: Path) -> None:
    os.link(path, path.with_name("another.h5"))


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize(
    "change", [append, replace, touch, write_and_put_the_time_back, make_private, link, Path.unlink]
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_source_that_changes_during_the_edit_wins(
    path: Path, tmp_path: Path, change: Callable[[Path], object], elsewhere: bool
) -> None:
    destination = Destination(tmp_path / "out.weights.h5" if elsewhere else None)
    with pytest.raises(BusyError, match="another process changed the file"), half_done(path, destination):  # noqa: PT012
        change(path)
        before = Folder.of(tmp_path / "none")
        names = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")}
    assert {entry.name for entry in tmp_path.iterdir()} == names
    assert before == Folder.of(tmp_path / "none")


EDIT = """
import sys
from pathlib import Path
from weightkit import open_weights
from weightkit.access.store import Destination
with open_weights(sys.argv[1], editable=True) as store:
    first, second = store
    with store.editing([first, second], Destination(Path(sys.argv[2]) if len(sys.argv) > 2 else None)) as sink:
        sink.write(first, store.read(first) * first.dtype.type(0.5))
        print("in the middle", flush=True)
        sys.stdin.read()
        sink.write(second, store.read(second) * second.dtype.type(0.5))
"""


@contextlib.contextmanager
def another_process_in_the_middle(path: Path, *output: Path, code: str = EDIT) -> Iterator[Any]:
    command = [sys.executable, "-c", code, str(path), *map(str, output)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **streams) as process:
        try:
            assert process.stdout.readline() == b"in the middle\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_killed_edit_leaves_the_original_bit_for_bit_and_the_next_one_works(
    path: Path, tmp_path: Path, elsewhere: bool
) -> None:
    before, status = path.read_bytes(), path.stat()
    output = [tmp_path / "out.weights.h5"] if elsewhere else []
    with another_process_in_the_middle(path, *output) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert path.read_bytes() == before
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert [entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")] == [path.name]
    assert len(hidden(tmp_path)) == 1
    halve(path, Destination(*output))
    assert is_halved(output[0] if elsewhere else path)
    assert hidden(tmp_path) == []


def test_an_interrupted_edit_leaves_no_trace(path: Path) -> None:
    before = Folder.of(path.parent)
    with another_process_in_the_middle(path) as process:
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.stderr.read()
        process.wait()
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_edit_that_is_asked_to_end_leaves_no_trace(path: Path, number: int) -> None:
    code = f"import signal, sys\nsignal.signal({int(number)}, lambda *_: sys.exit(143))\n{EDIT}"
    before = Folder.of(path.parent)
    with another_process_in_the_middle(path, code=code) as process:
        process.send_signal(number)
        assert process.wait() == 143
    assert Folder.of(path.parent) == before


def test_two_edits_of_one_file_do_not_run_at_once(path: Path) -> None:
    with another_process_in_the_middle(path) as process:
        with pytest.raises(BusyError):
            halve(path)
        process.stdin.close()
        assert process.wait() == 0
    assert is_halved(path)


def test_a_signal_between_the_steps_of_the_replacement_waits_until_they_are_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.link

    def link(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        whole(*arguments)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(KeyboardInterrupt):
        halve(path)
    assert is_halved(path)
    assert path.with_name("model.weights.h5.bak").exists()
    assert hidden(path.parent) == []


# Disks


@contextlib.contextmanager
def small_disk(tmp_path: Path, size: int) -> Iterator[Any]:
    """A separate file system of ``size`` bytes, if the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "weightkit", str(folder)],
        check=False,
        capture_output=True,
    )
    try:
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["/bin/umount", str(folder)], check=True)


def test_a_full_disk_is_noticed_before_anything_is_written(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path, path.stat().st_size * 3 // 2) as disk:
        full = disk / path.name
        full.write_bytes(path.read_bytes())
        before = Folder.of(disk)
        if not disk.is_mount():
            space = list(os.statvfs(disk))
            space[4] = 1  # the blocks that are free for everybody
            monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(space))
        with pytest.raises(MachineError, match=r"needs \d+ bytes, but .* has \d+ free"):
            halve(full)
        assert Folder.of(disk) == before


LIMITED = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"


def test_a_disk_that_takes_only_part_of_the_file_leaves_no_trace(path: Path) -> None:
    before = Folder.of(path.parent)
    code = f"{LIMITED}{EDIT}"
    done = subprocess.run([sys.executable, "-B", "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "MachineError" in done.stderr
    assert "File too large" in done.stderr
    assert Folder.of(path.parent) == before


def test_a_write_that_fails_leaves_no_trace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Folder.of(path.parent)
    monkeypatch.setattr(os, "pwrite", fails_with(errno.ENOSPC))
    with pytest.raises(MachineError, match="writing the new file failed: No space left on device"):
        halve(path)
    assert Folder.of(path.parent) == before


def test_a_file_that_the_disk_does_not_take_is_not_put_in_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Folder.of(path.parent)
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with pytest.raises(MachineError, match="writing the new file to the disk failed"):
        halve(path)
    assert Folder.of(path.parent) == before


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_folder_that_the_disk_does_not_confirm_is_said_after_the_replacement(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    whole = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        whole(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    target = tmp_path / "out.weights.h5" if elsewhere else path
    with pytest.raises(DurabilityError, match="replaced, durability not confirmed"):
        halve(path, Destination(target if elsewhere else None))
    assert is_halved(target)
    assert hidden(tmp_path) == []


def test_the_file_and_its_folder_are_on_the_disk_before_the_edit_is_said_to_be_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    whole = os.fsync

    def fsync(fd: int) -> None:
        status = os.fstat(fd)
        synced.append((status.st_ino, path.stat().st_ino))
        whole(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    old = path.stat().st_ino
    halve(path)
    new = path.stat().st_ino
    assert synced == [(new, old), (path.parent.stat().st_ino, new)]


def test_the_temporary_file_is_private_and_locked_while_it_is_written(path: Path) -> None:
    path.chmod(0o644)
    with half_done(path):
        (name,) = hidden(path.parent)
        temporary = path.with_name(name)
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        held = [sys.executable, "-S", "-c", "import fcntl, sys; fcntl.flock(open(sys.argv[1]), 6)", str(temporary)]
        assert b"BlockingIOError" in subprocess.run(held, capture_output=True, check=False).stderr

"""One descriptor for a file: what can be opened, exact reads, locks, and detecting changes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import unprivileged

from weightkit import open_weights
from weightkit.access.files.openfile import OpenFile, machine_errors
from weightkit.errors import BusyError, DamagedFileError, MachineError, RequestError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

HOLD = """
import fcntl, sys
held = open(sys.argv[1])
fcntl.flock(held, getattr(fcntl, sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held_by_another(path: Path, lock: str) -> Iterator[Any]:
    """Another process holds ``LOCK_SH`` or ``LOCK_EX`` on the file."""
    command = [sys.executable, "-S", "-c", HOLD, str(path), lock]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


@pytest.fixture
def path(tmp_path: Path) -> Any:
    path = tmp_path / "bytes.h5"
    path.write_bytes(bytes(range(200)))
    return path


def open_descriptors() -> Any:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_folder_is_refused_as_one_and_its_descriptor_given_back(tmp_path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(UnsupportedFileError, match="it is a folder"):
        OpenFile(tmp_path)
    assert open_descriptors() == before


def test_a_pipe_that_nobody_writes_to_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsupportedFileError, match="a pipe or a device"):
        OpenFile(tmp_path / "pipe")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(UnsupportedFileError, match="a socket or a device"):
            OpenFile("socket")


def test_a_device_is_refused() -> None:
    with pytest.raises(UnsupportedFileError, match="a pipe or a device"):
        OpenFile("/dev/null")


def test_what_is_not_there_is_the_request_s_fault(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file") as caught:
        OpenFile(tmp_path / "none.h5")
    assert caught.value.file == str(tmp_path / "none.h5")


def test_a_path_with_a_null_character_is_the_request_s_fault() -> None:
    with pytest.raises(RequestError, match="null character"):
        OpenFile("a\0b")


def test_a_circle_of_symbolic_links_cannot_be_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(MachineError, match="cannot be resolved"):
        OpenFile(tmp_path / "a")


def test_a_file_below_a_file_cannot_be_followed(path: Path) -> None:
    with pytest.raises(MachineError, match="Not a directory"):
        OpenFile(path / "inside")


def test_a_file_that_one_may_not_read_is_the_machine_s_no(public: Path) -> None:
    path = public / "secret.h5"
    path.write_bytes(b"secret")
    path.chmod(0o000)
    with unprivileged(), pytest.raises(MachineError, match="cannot be opened: Permission denied"):
        OpenFile(path)


def test_an_empty_file_holds_no_weights(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    with pytest.raises(UnsupportedFileError, match="the file is empty"):
        open_weights(tmp_path / "empty.h5")


def test_a_symbolic_link_is_followed_once_and_the_name_stays_the_user_s(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link.h5"
    link.symlink_to(path)
    with OpenFile(link) as source:
        assert source.path == path
        assert source.name == str(link)


def test_reading_fills_the_buffer_from_the_offset(path: Path) -> None:
    with OpenFile(path) as source:
        buffer = np.zeros(5, "<u2")
        source.read_into(buffer, 3)
        assert buffer.tobytes() == bytes(range(3, 13))


def test_reading_goes_on_after_a_short_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, offset: whole(fd, [buffers[0][:7]], offset))
    with OpenFile(path) as source:
        buffer = bytearray(150)
        source.read_into(buffer, 20)
    assert bytes(buffer) == bytes(range(20, 170))


def test_a_file_cut_off_after_it_was_opened_is_damaged(path: Path) -> None:
    with OpenFile(path) as source:
        os.truncate(path, 100)
        with pytest.raises(DamagedFileError, match="ends at byte 100, where 50 more were expected"):
            source.read_into(bytearray(60), 90)


def test_a_failing_disk_is_the_machine_s_fault_and_says_where(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(5, "Input/output error")

    with OpenFile(path) as source:
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(MachineError, match="reading failed at byte 10: Input/output error"):
            source.read_into(bytearray(60), 10)


@pytest.mark.parametrize(("theirs", "exclusive"), [("LOCK_EX", True), ("LOCK_EX", False), ("LOCK_SH", True)])
def test_a_lock_that_another_process_holds_is_not_waited_for(path: Path, theirs: str, exclusive: bool) -> None:
    with OpenFile(path) as source:
        with held_by_another(path, theirs), pytest.raises(BusyError, match=r"open (for writing )?elsewhere"):
            source.lock(exclusive=exclusive)
        source.lock(exclusive=exclusive)


def test_readers_share_a_file(path: Path) -> None:
    with OpenFile(path) as source, held_by_another(path, "LOCK_SH"):
        source.lock(exclusive=False)


def test_a_file_that_h5py_has_open_for_writing_is_busy(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/a/vars/0"] = np.zeros(3)
        file.flush()
        with pytest.raises(BusyError, match="open for writing"):
            open_weights(tmp_path / "a.h5")


def test_h5py_cannot_write_to_a_file_that_is_being_edited(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/a/vars/0"] = np.zeros(3)
    with open_weights(tmp_path / "a.h5", editable=True), pytest.raises(BlockingIOError):
        h5py.File(tmp_path / "a.h5", "r+")


def test_a_file_system_without_locks_is_gone_on_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(95, "Operation not supported")

    with OpenFile(path) as source:
        monkeypatch.setattr("fcntl.flock", fail)
        source.lock(exclusive=True)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def remove(path: Path) -> None:
    path.unlink()


def overwrite_inside(path: Path) -> None:
    before = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(0, before + 1))  # the clock of the file system may not have moved


def overwrite_and_put_its_time_back(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def narrow(path: Path) -> None:
    path.chmod(0o600)


def link(path: Path) -> None:
    os.link(path, path.with_name("other"))


def label(path: Path) -> None:
    os.setxattr(path, "user.origin", b"there")


CHANGES = [append, replace, touch, remove, overwrite_inside, overwrite_and_put_its_time_back, narrow, link, label]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_since_opening_is_noticed(path: Path, change: Callable[[Path], object]) -> None:
    path.chmod(0o644)
    with OpenFile(path) as source:
        source.require_unchanged()
        change(path)
        with pytest.raises(BusyError, match="another process changed the file"):
            source.require_unchanged()


def test_a_file_replaced_before_we_had_the_lock_is_busy(path: Path) -> None:
    with OpenFile(path) as source:
        replace(path)
        with pytest.raises(BusyError):
            source.lock(exclusive=True)


def test_closing_twice_closes_no_other_descriptor(path: Path) -> None:
    source = OpenFile(path)
    source.close()
    with path.open("rb") as other:
        source.close()
        assert other.read(1) == b"\0"


def test_an_error_of_the_system_is_given_its_action_and_file() -> None:
    with pytest.raises(MachineError) as caught, machine_errors("counting the stars", "sky.h5"):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == "sky.h5: counting the stars failed: No space left on device"

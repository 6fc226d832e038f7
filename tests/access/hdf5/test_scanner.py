"""The reading process: whatever happens to it is one clear error, and nothing of it is left."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import GOLDEN, write_variables

from weightkit import open_weights
from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5.child import main, serve
from weightkit.access.hdf5.index import Index
from weightkit.access.hdf5.limits import Limits
from weightkit.access.hdf5.scanner import Scanner
from weightkit.errors import DamagedFileError, MachineError, RefusedError, RequestError

if TYPE_CHECKING:
    from typing import Any

pytestmark = pytest.mark.own_process


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A file whose description does not fit the socket's buffer, so that the process waits in the middle."""
    path = tmp_path_factory.mktemp("wide") / "wide.h5"
    return write_variables(path, {f"layers/{number:0200}/vars/0": np.zeros(1) for number in range(3000)})


def ask(scanner: Scanner, path: Path) -> Any:
    with OpenFile(path) as source:
        return list(scanner.records(source.fd, 0, source.size))


def descriptors() -> Any:
    return len(list(Path("/dev/fd").iterdir()))


def is_gone(pid: int) -> Any:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def status_of(pid: int, file: str) -> Any:
    with open(f"/proc/{pid}/{file}", "rb") as status:  # noqa: PTH123
        return status.read()


@pytest.mark.parametrize("fatal", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_process_that_dies_over_a_file_says_that_the_file_is_damaged(wide: Path, fatal: signal.Signals) -> None:
    with Scanner() as scanner, OpenFile(wide) as source:
        stream = scanner.records(source.fd, 0, source.size)
        next(stream)
        os.kill(scanner._process.pid, fatal)
        with pytest.raises(DamagedFileError, match=f"crashed on this file .{signal.strsignal(fatal)}"):
            list(stream)
        with pytest.raises(RefusedError):
            ask(scanner, wide)
    assert is_gone(scanner._process.pid)


def test_a_process_that_hangs_is_killed_after_its_silence() -> None:
    with Scanner(Limits(silence=0.5)) as scanner:
        ask(scanner, GOLDEN[0])
        os.kill(scanner._process.pid, signal.SIGSTOP)
        with pytest.raises(MachineError, match=r"said nothing for 0\.5 seconds"):
            ask(scanner, GOLDEN[0])
        assert scanner._process.wait() == -signal.SIGKILL


def test_a_process_that_hangs_before_it_is_ready_is_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weightkit.access.hdf5.scanner._START_UP", 0.5)
    with Scanner(Limits(silence=0.5)) as scanner:
        os.kill(scanner._process.pid, signal.SIGSTOP)
        with pytest.raises(MachineError, match="did not start"):
            ask(scanner, GOLDEN[0])
        assert scanner._process.wait() == -signal.SIGKILL


def script(tmp_path: Path, *lines: str) -> Any:
    path = tmp_path / "python"
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("how", ["ends at once", "is not there", "may not be run", "greets otherwise", "greets badly"])
def test_a_process_that_cannot_start_is_the_machine_s_fault_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    interpreters = {
        "ends at once": "/bin/false",
        "is not there": str(tmp_path / "nothing"),
        "may not be run": str(plain),
        "greets otherwise": script(tmp_path, "echo '{\"hello\": 1}' >&0"),
        "greets badly": script(tmp_path, "echo 5 >&0"),
    }
    before = descriptors()
    monkeypatch.setattr(sys, "executable", interpreters[how])
    with pytest.raises(MachineError, match="the HDF5 reader did not start"):
        open_weights(GOLDEN[0])
    assert descriptors() == before


@pytest.mark.parametrize(
    "nonsense",
    [
        *(
            "",
            "x",
            "5",
            "null",
            "[]",
            '"end"',
            '{"end": 7}',
            '{"refuse": "x"}',
            '{"refuse": 1, "path": 2}',
            "[" * 20_000,
        ),
        '{"end": 7, "number": 1}',  # the answer to this request, without its seven records
    ],
)
def test_a_process_that_speaks_nonsense_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    greeting = "echo '{\"ready\": {}}' >&0"
    asked = "head -c 40 <&0 >/dev/null"  # else it may be gone before the request, which is an error too
    monkeypatch.setattr(sys, "executable", script(tmp_path, greeting, asked, f"echo '{nonsense}' >&0"))
    with Scanner() as scanner, pytest.raises(RefusedError):
        ask(scanner, GOLDEN[0])


def test_an_answer_is_passed_on_while_it_grows_so_that_work_is_not_taken_for_a_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(main.time, "monotonic", lambda: now[0])
    sent: list[int] = []

    class Replies(io.BytesIO):
        def flush(self) -> None:
            sent.append(self.getvalue().count(b"\n"))

    def records() -> Any:
        for number in range(10):
            now[0] += 0.4
            yield {"number": number}

    main._send(Replies(), records(), serve.line)
    assert sent == [3, 6, 9, 10]


def test_the_process_may_use_no_more_memory_than_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "large.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["large"] = np.zeros(48 << 20, np.uint8)
    with Scanner(Limits(memory=40 << 20, attribute=256 << 20)) as scanner, pytest.raises(RefusedError):
        ask(scanner, path)
    with Scanner(Limits(memory=400 << 20, attribute=256 << 20)) as scanner:
        assert len(ask(scanner, path)) == 1


def test_the_process_may_write_to_no_file_dump_no_core_and_not_run_for_ever() -> None:
    with Scanner(Limits(processor=77)) as scanner:
        ask(scanner, GOLDEN[0])
        limits = {
            what: resource.prlimit(scanner._process.pid, what)
            for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_CPU)
        }
    writing, core, processor = limits.values()
    assert writing[0] == 0  # the bound in force; it is raised for the new file alone
    assert (core, processor) == ((0, 0), (77, 77))


def test_the_process_loads_no_plugin_and_obeys_no_setting_of_hdf5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/hostile")
    monkeypatch.setenv("HDF5_DRIVER", "hostile")
    with Scanner() as scanner:
        ask(scanner, GOLDEN[0])
        environment = status_of(scanner._process.pid, "environ").split(b"\0")
    ours = sorted(entry for entry in environment if entry.startswith(b"HDF5_"))
    assert ours == [b"HDF5_PLUGIN_PRELOAD=::", b"HDF5_USE_FILE_LOCKING=FALSE"]


def test_the_process_holds_no_descriptor_of_ours_but_the_one_it_was_sent(tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w") as ours, Scanner() as scanner:
        ask(scanner, GOLDEN[0])
        ask(scanner, GOLDEN[1])
        folder = Path(f"/proc/{scanner._process.pid}/fd")
        held = [str(entry.readlink()) for entry in folder.iterdir()]
    assert ours.name not in held
    assert str(GOLDEN[0]) not in held  # given back before the next request


def test_one_process_answers_for_many_files_and_goes_on_after_a_refusal(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.h5"
    with h5py.File(hostile, "w") as file:
        file["a"] = h5py.SoftLink("/b")
    with Scanner() as scanner:
        first = ask(scanner, GOLDEN[0])
        with pytest.raises(RefusedError):
            ask(scanner, hostile)
        assert ask(scanner, GOLDEN[0]) == first
        assert ask(scanner, GOLDEN[1]) != first


def test_a_closed_scanner_leaves_no_process_and_no_descriptor() -> None:
    before = descriptors()
    with Scanner() as scanner:
        ask(scanner, GOLDEN[0])
    scanner.close()
    assert is_gone(scanner._process.pid)
    assert descriptors() == before


def test_a_scanner_that_is_forgotten_ends_its_process() -> None:
    scanner = Scanner()
    pid = scanner._process.pid
    del scanner
    assert is_gone(pid)


def test_a_hundred_openings_closings_and_refusals_leak_nothing(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "held.h5", {"layers/a/vars/0": np.zeros(3)})
    before = descriptors()
    pids = []
    with OpenFile(path) as held:
        held.lock(exclusive=True)
        for _ in range(50):
            with contextlib.suppress(RequestError):
                open_weights(path)
            with Scanner() as scanner:
                pids.append(scanner._process.pid)
    assert descriptors() == before
    assert all(map(is_gone, pids))


def test_a_refused_file_gives_its_lock_process_and_descriptors_back(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "other.h5", {"image": np.zeros(3)})
    before = descriptors()
    with pytest.raises(RefusedError, match="no Keras weights: it holds image"):
        open_weights(path, editable=True)
    assert descriptors() == before
    with h5py.File(path, "r+"):
        pass


def test_the_reading_of_a_wide_file_is_whole(wide: Path) -> None:
    with Scanner() as scanner:
        index = Index.of(ask(scanner, wide), wide.stat().st_size)
    assert len(index.datasets) == 3000
    assert len(index.groups) == 6002

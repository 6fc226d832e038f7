"""Many exchanges at once, and the locks of killed processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from support import halve, write_variables

from weightkit.access.files.exchange import exchange
from weightkit.access.files.openfile import OpenFile

if TYPE_CHECKING:
    from collections.abc import Callable

WRITERS = int(os.environ.get("WEIGHTKIT_WRITERS", "24"))
WRITER = """
import sys
from weightkit import edit, Scale
from weightkit.access.edits import choose, verify
from weightkit.errors import BusyError
print("ready", flush=True)
sys.stdin.readline()
try:
    report = edit(sys.argv[1], Scale(float(sys.argv[2])))
except BusyError:
    sys.exit(4)
print(report.outcome.backup)
"""

pytestmark = pytest.mark.own_process


def test_of_many_writers_at_once_one_wins_at_a_time_and_the_others_say_busy(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": np.ones((1000, 100), "f4")})
    factors = [float(2 + number) for number in range(WRITERS)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(factor)], **streams) for factor in factors
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.communicate()[0] for writer in writers]
    codes = [writer.returncode for writer in writers]
    assert set(codes) <= {0, 4}
    winners = {Path(line.strip()): factor for line, code, factor in zip(said, codes, factors, strict=True) if code == 0}
    assert len(winners) == codes.count(0) >= 1
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, *(backup.name for backup in winners)}
    # The backups, the earliest first, are the file before each winner: together they tell the whole story.
    in_turn = sorted(winners, key=lambda backup: int(backup.suffix.removeprefix(".").replace("bak", "0")))
    expected = np.ones((1000, 100), "f4")
    for backup in in_turn:
        assert (value_of(backup) == expected).all()
        expected = expected * np.float32(winners[backup])
    assert (value_of(path) == expected).all()


def value_of(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["layers/dense/vars/0"][()]


# Killed, with a child


KILLED = """
import os, signal, sys
from weightkit import open_weights
from weightkit.access.files.commit import Replacement, target_of
from weightkit.access.store import Destination
store = open_weights(sys.argv[1], editable=True)
target = target_of(store._source, Destination())
replacement = Replacement(store._source, Destination(), target, 100)
scanner = store._scanner
os.kill(scanner._process.pid, signal.SIGSTOP)
scanner._channel.send(bytes(8), b"", [store._source.fd, replacement.fd])
print(scanner._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_killed_edit_s_locks_are_free_even_where_its_reading_process_is_stuck_with_them(tmp_path: Path) -> None:
    path = write_variables(tmp_path / "m.weights.h5", {"layers/dense/vars/0": np.ones(3, "f4")})
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert int(process.stdout.readline()) > 0
        process.send_signal(signal.SIGKILL)
    waiting = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)"
    for held in tmp_path.iterdir():
        subprocess.run([sys.executable, "-S", "-c", waiting, str(held)], check=True, timeout=20)
    assert halve(path).backup.exists()
    assert len(list(tmp_path.iterdir())) == 2


# The exchange itself


@pytest.fixture
def pair(tmp_path: Path) -> Any:
    (tmp_path / "m.h5").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"new")
    return tmp_path / "m.h5", tmp_path / "new"


@pytest.mark.parametrize("backup", [True, False])
def test_two_files_change_places(pair: Any, backup: bool) -> None:
    path, new = pair
    with OpenFile(path) as source:
        kept = exchange(new, source, backup=backup)
    assert kept == (path.with_name("m.h5.bak") if backup else None)
    found = {entry.name: entry.read_bytes() for entry in path.parent.iterdir()}
    assert found == {"m.h5": b"new"} | ({"m.h5.bak": b"old"} if backup else {})


def test_at_every_instant_the_path_holds_one_of_the_two_and_the_old_one_has_a_name(
    pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, new = pair
    seen = []

    def watched(whole: Callable[..., None]) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            whole(*arguments, **options)
            seen.append((path.read_bytes(), {entry.read_bytes() for entry in path.parent.iterdir()}))

        return call

    for name in ("link", "replace", "unlink"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    with OpenFile(path) as source:
        exchange(new, source, backup=True)
    assert [content for content, _ in seen] == [b"old", b"new", b"new", b"new"]
    assert all(names == {b"old", b"new"} for _, names in seen)


def test_the_hidden_link_is_locked_as_the_source_is(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path, new = pair
    refused = []
    whole = os.replace

    def replace(*arguments: Any) -> None:
        for old in path.parent.glob(".*.weightkit-old"):
            with old.open() as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            refused.append(old)
        whole(*arguments)

    monkeypatch.setattr(os, "replace", replace)
    with OpenFile(path) as source:
        source.lock(exclusive=True)
        exchange(new, source, backup=True)
    assert len(refused) == 1

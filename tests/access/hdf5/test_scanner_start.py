"""The reading process starts wherever this one runs, believes no other answer than its own, and says why it cannot."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import GOLDEN

from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5 import scanner as module
from weightkit.access.hdf5.child import main
from weightkit.access.hdf5.scanner import Scanner
from weightkit.errors import MachineError, RefusedError

if TYPE_CHECKING:
    from typing import Any

pytestmark = pytest.mark.own_process
ROOT = str(Path(module.__file__).parents[3])


def described(scanner: Scanner, path: Path = GOLDEN[0]) -> Any:
    with OpenFile(path) as source:
        return list(scanner.records(source.fd, 0, source.size))


def broken(folder: Path, name: str) -> str:
    """A folder with a module that cannot be imported."""
    (folder / f"{name}.py").write_text("raise ImportError('its library is \\x1b[31m gone')")
    return str(folder)


def test_it_starts_whatever_is_on_the_path_beside_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", Path("/nowhere"), b"/bytes", 5, None, *sys.path])
    with Scanner() as scanner:
        assert described(scanner)


def test_it_reads_the_package_that_runs_and_not_another_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weightkit").mkdir()
    (tmp_path / "weightkit" / "__init__.py").write_text("raise ImportError('another weightkit')")
    others = [entry for entry in sys.path if entry != ROOT]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *others])
    with Scanner() as scanner:
        assert described(scanner)


def test_the_working_folder_is_not_where_modules_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(broken(tmp_path, "h5py"))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Scanner() as scanner:
        assert described(scanner)


def test_its_own_error_is_shown_where_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [broken(tmp_path, "h5py"), *sys.path])
    with Scanner() as scanner, pytest.raises(MachineError, match=r"its library is \\x1b\[31m gone") as caught:
        described(scanner)
    assert sys.executable in caught.value.hint


def test_without_proc_its_memory_is_bounded_by_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = main._in_use()

    def missing(path: str, **_: Any) -> Any:
        raise FileNotFoundError(path)

    monkeypatch.setattr(builtins, "open", missing)
    assert measured > 0
    assert main._in_use() == 1 << 30


ANSWERS = {
    "of another number": {"number": 2, "of": None},
    "of another weight": {"number": 1, "of": "layers/dense/vars/0"},
    "of no number": {"of": None},
}


@pytest.mark.parametrize("end", ["end", "refuse"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_to_another_request_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], end: str
) -> None:
    last = answer | ({"end": 0} if end == "end" else {"refuse": "unsafe", "path": "/", "why": "not this file's fault"})
    program = tmp_path / "python"
    asked = "head -c 40 <&0 >/dev/null"
    program.write_text(f"#!/bin/sh\necho '{{\"ready\": 1}}' >&0\n{asked}\necho '{json.dumps(last)}' >&0\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with Scanner() as scanner, pytest.raises(RefusedError, match="crashed"):
        described(scanner)


STOPPED = """
import os, signal, sys, threading
from weightkit.access.files.openfile import OpenFile
from weightkit.access.hdf5.limits import Limits
from weightkit.access.hdf5.scanner import Scanner

with Scanner(Limits(silence=1.0)) as scanner, OpenFile(sys.argv[1]) as source:
    first = list(scanner.records(source.fd, 0, source.size))
    os.kill(scanner._process.pid, signal.SIGSTOP)
    os.write(1, b"%d\\n" % scanner._process.pid)
    assert list(scanner.records(source.fd, 0, source.size)) == first
"""


def test_time_in_which_the_whole_tool_was_stopped_is_no_silence() -> None:
    """As with Ctrl-Z: both processes stop, for longer than a silence may last, and go on."""
    started = subprocess.Popen([sys.executable, "-c", STOPPED, GOLDEN[0]], stdout=subprocess.PIPE, cwd=ROOT)
    with started as process:
        assert process.stdout
        reader = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        subprocess.run(["/bin/sleep", "1.2"], check=True)  # that time passes is what is tested
        os.kill(process.pid, signal.SIGCONT)
        os.kill(reader, signal.SIGCONT)
    assert process.returncode == 0

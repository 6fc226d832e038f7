"""Errors and interruptions: one line, the right exit code, nothing lost, nothing left behind."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import full
import numpy as np
import pytest
from support import DATA, Folder, digest, plain_datasets, run_weightkit, write_legacy

GOLDEN = DATA / "keras315_nested.keras"

ARGUMENTS = {
    "factor_nan": (["scale", "model.keras", "--factor", "nan"], 2),
    "factor_inf": (["scale", "model.keras", "--factor=-inf"], 2),
    "factor_text": (["scale", "model.keras", "--factor", "abc"], 2),
    "factor_empty": (["scale", "model.keras", "--factor", ""], 2),
    "factor_missing": (["scale", "model.keras"], 2),
    "factor_without_number": (["scale", "model.keras", "--factor"], 2),
    "factor_too_large_for_float32": (["scale", "model.keras", "--factor", "1e39"], 2),
    "factor_too_small_for_float32": (["scale", "model.keras", "--factor", "1e-60"], 2),
    "file_missing": (["scale", "--factor", "2"], 2),
    "two_files": (["scale", "model.keras", "model.keras", "--factor", "2"], 2),
    "no_such_file": (["scale", "nothing.h5", "--factor", "2"], 2),
    "no_such_file_to_show": (["show", "nothing.h5"], 2),
    "no_such_file_to_borrow_from": (["scale", "model.keras", "--factor", "2", "--like", "nothing.h5"], 2),
    "selection_malformed": (["scale", "model.keras", "--factor", "2", "--where", "re:("], 2),
    "exclusion_malformed": (["scale", "model.keras", "--factor", "2", "--exclude", "kind:nonsense"], 2),
    "selection_empty": (["scale", "model.keras", "--factor", "2", "--where", "encodr"], 2),
    "selection_without_characters": (["scale", "model.keras", "--factor", "2", "--where", ""], 2),
    "selection_of_the_optimizer": (["scale", "model.keras", "--factor", "2", "--where", "kind:optimizer"], 2),
    "selection_of_an_integer": (["scale", "count.h5", "--factor", "2", "--where", "d/count"], 2),
    "undecided": (["scale", "undecided.h5", "--factor", "2"], 2),
    "quantized": (["scale", "int8.keras", "--factor", "2"], 2),
    "output_exists": (["scale", "model.keras", "--factor", "2", "-o", "count.h5"], 2),
    "output_is_the_input": (["scale", "model.keras", "--factor", "2", "-o", "./model.keras", "--force"], 2),
    "output_is_a_folder": (["scale", "model.keras", "--factor", "2", "-o", "folder", "--force"], 2),
    "output_in_no_folder": (["scale", "model.keras", "--factor", "2", "-o", "no/such/out.keras"], 2),
    "force_without_output": (["scale", "model.keras", "--factor", "2", "--force"], 2),
    "unknown_option": (["scale", "model.keras", "--factor", "2", "--bogus"], 2),
    "unknown_command": (["sclae", "model.keras"], 2),
    "not_hdf5": (["scale", "text.h5", "--factor", "2"], 3),
    "empty": (["scale", "empty.h5", "--factor", "2"], 3),
    "truncated": (["scale", "truncated.h5", "--factor", "2"], 3),
    "truncated_archive": (["show", "truncated.keras"], 3),
    "folder": (["scale", "folder", "--factor", "2"], 3),
    "pipe": (["scale", "pipe", "--factor", "2"], 3),
    "pipe_to_show": (["show", "pipe"], 3),
    "overflow": (["scale", "float16.h5", "--factor", "2"], 3),
    "not_hdf5_to_borrow_from": (["scale", "undecided.h5", "--factor", "2", "--like", "text.h5"], 3),
    "type_missing": (["cast", "model.keras"], 2),
    "type_unknown": (["cast", "model.keras", "--to", "int8"], 2),
    "cast_to_the_same": (["cast", "model.keras", "--to", "float32"], 2),
    "cast_undecided": (["cast", "undecided.h5", "--to", "float16"], 2),
    "cast_quantized": (["cast", "int8.keras", "--to", "float16"], 2),
    "cast_an_integer": (["cast", "count.h5", "--to", "float16", "--where", "d/count"], 2),
    "cast_overflow": (["cast", "large.h5", "--to", "float16"], 3),
    "cast_truncated": (["cast", "truncated.h5", "--to", "float16"], 3),
    "nothing_to_strip": (["strip", "count.h5"], 2),
    "strip_selection": (["strip", "model.keras", "--where", "**"], 2),
    "strip_truncated": (["strip", "truncated.keras"], 3),
    "strip_exists": (["strip", "model.keras", "-o", "count.h5"], 2),
    "drop_without_selection": (["drop", "model.keras"], 2),
    "drop_nothing": (["drop", "model.keras", "--where", "nothing"], 2),
    "drop_everything": (["drop", "model.keras", "--where", "**"], 2),
    "drop_pipe": (["drop", "pipe", "--where", "**"], 3),
    "hard_links": (["scale", "linked.h5", "--factor", "2"], 2),
}


@pytest.fixture
def folder(tmp_path):
    """A folder of everything that can go wrong."""
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    shutil.copyfile(DATA / "keras315_int8.keras", tmp_path / "int8.keras")
    write_legacy(tmp_path / "count.h5", {"d": {"kernel": np.ones(2, "f4"), "count": np.arange(2)}})
    write_legacy(tmp_path / "undecided.h5", {"mine": {"gain": np.ones(2, "f4")}})
    write_legacy(tmp_path / "float16.h5", {"d": {"kernel": np.array([6e4], "f2")}})
    write_legacy(tmp_path / "large.h5", {"d": {"kernel": np.array([1e6], "f4")}})
    write_legacy(tmp_path / "linked.h5", {"d": {"kernel": np.ones(2, "f4")}})
    os.link(tmp_path / "linked.h5", tmp_path / "linked_too.h5")
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "truncated.h5").write_bytes((DATA / "keras23_nested.h5").read_bytes()[:9000])
    (tmp_path / "truncated.keras").write_bytes(GOLDEN.read_bytes()[:9000])
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def require_one_line(done, code):
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr.startswith("weightkit: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert "Traceback" not in done.stderr
    assert "an error of weightkit's own" not in done.stderr


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_error_is_one_line_with_its_exit_code_and_nothing_has_happened(folder, case):
    arguments, code = ARGUMENTS[case]
    before = Folder.of(folder)
    done = run_weightkit(*arguments, cwd=folder, timeout=60)
    require_one_line(done, code)
    assert done.stdout == ""
    assert Folder.of(folder) == before


@pytest.mark.parametrize(
    "case", ["factor_nan", "no_such_file", "selection_empty", "unknown_option", "not_hdf5", "overflow"]
)
def test_with_json_an_error_is_an_object_too(folder, case):
    arguments, code = ARGUMENTS[case]
    done = run_weightkit(*arguments, "--json", cwd=folder)
    require_one_line(done, code)
    record = json.loads(done.stdout)
    assert list(record) == ["schema", "error", "exit", "file", "problem", "hint"]
    assert (record["schema"], record["exit"]) == ("weightkit.error/1", code)
    assert record["problem"] in done.stderr
    assert record["error"].endswith("Error")


def test_every_error_names_the_file_it_is_about_and_what_to_do(folder):
    for case in ("selection_empty", "not_hdf5", "overflow", "undecided", "no_such_file", "truncated"):
        arguments, _ = ARGUMENTS[case]
        done = run_weightkit(*arguments, cwd=folder)
        assert done.stderr.startswith(f"weightkit: {arguments[1]}: "), done.stderr
        assert " — " in done.stderr


def test_names_in_errors_are_escaped():
    done = run_weightkit("show", "no\n\x1b[31mfile")
    require_one_line(done, 2)
    assert "no\\n\\x1b[31mfile" in done.stderr


def obey_permissions():
    """Even as root, whom permissions do not stop otherwise: give up the two capabilities that overrule them."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP


def run_obediently(*arguments, folder):
    return run_weightkit(*arguments, cwd=folder, preexec_fn=obey_permissions)


def test_a_file_that_may_not_be_read_is_a_system_error(folder):
    before = Folder.of(folder)
    (folder / "model.keras").chmod(0)
    for arguments in (
        ["show", "model.keras"],
        ["scale", "model.keras", "--factor", "2"],
        ["scale", "undecided.h5", "--factor", "2", "--like", "model.keras"],
    ):
        done = run_obediently(*arguments, folder=folder)
        require_one_line(done, 4)
        assert "check its permissions" in done.stderr
    (folder / "model.keras").chmod(0o644)
    assert Folder.of(folder) == before


def test_a_folder_that_may_not_be_written_to_is_a_system_error(folder):
    (folder / "folder").chmod(0o555)
    before = Folder.of(folder)
    done = run_obediently("scale", "model.keras", "--factor", "2", "-o", "folder/out.keras", folder=folder)
    require_one_line(done, 4)
    assert "nothing can be written in" in done.stderr
    assert Folder.of(folder) == before
    folder.chmod(0o555)
    done = run_obediently("scale", "model.keras", "--factor", "2", folder=folder)
    folder.chmod(0o755)
    require_one_line(done, 4)
    assert "-o OUT" in done.stderr
    assert Folder.of(folder) == before


INTERRUPTED = """
import os, signal, sys
from weightkit.access.files import commit
from weightkit.access.hdf5.writing import placed_sink as sink

def at(place, name, number):
    original = getattr(place, name)
    def interrupted(*arguments, **options):
        os.kill(os.getpid(), number)
        setattr(place, name, original)
        return original(*arguments, **options)
    setattr(place, name, interrupted)

place, name = sys.argv.pop().split(".")
module, number = globals()[place], getattr(signal, sys.argv.pop())
at({"sink": sink.PlacedSink}.get(place) or module.os, name, number)
from weightkit.cli import main
main()
"""


def interrupted(folder, moment, name, *more, file="model.keras", verb=("scale", "--factor", "0.5")):
    command = [sys.executable, "-c", INTERRUPTED, *verb, file, *more, name, moment]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


MOMENTS = ["sink.write", "commit.fsync", "commit.posix_fallocate", "commit.fchmod"]
SIGNALS = [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)]


def sampled(moments, signals):
    """Every moment, with all signals or, where time is short, with one: each has its turn."""
    return [
        pytest.param(moment, *signals[number], id=f"{moment}-{signals[number][0]}")
        for turn, moment in enumerate(moments)
        for number in (range(len(signals)) if full.enabled else [turn % len(signals)])
    ]


@pytest.mark.parametrize(("moment", "name", "code"), sampled(MOMENTS, SIGNALS))
def test_an_interrupted_edit_leaves_everything_as_it_was(tmp_path, moment, name, code):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    before = Folder.of(tmp_path)
    done = interrupted(tmp_path, moment, name)
    assert done.returncode == code, done.stderr
    assert done.stderr == "weightkit: interrupted; nothing was changed\n"
    assert done.stdout == ""
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize(("moment", "name", "code"), sampled(["commit.fsync", "commit.fchmod"], SIGNALS))
@pytest.mark.parametrize("verb", [("cast", "--to=float16"), ("strip",), ("drop", "--where=encoder")])
def test_an_interrupted_rebuild_leaves_everything_as_it_was(tmp_path, moment, name, code, verb):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    before = Folder.of(tmp_path)
    done = interrupted(tmp_path, moment, name, verb=verb)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "weightkit: interrupted; nothing was changed\n")
    assert Folder.of(tmp_path) == before


def test_an_interruption_is_an_object_too_where_json_is_asked_for(tmp_path):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    done = interrupted(tmp_path, "commit.fsync", "SIGTERM", "--json")
    assert json.loads(done.stdout) == {
        "schema": "weightkit.error/1", "error": "Interrupted", "exit": 143, "file": None,
        "problem": "interrupted; nothing was changed", "hint": None,
    }  # fmt: skip
    assert done.stderr == "weightkit: interrupted; nothing was changed\n"


def test_an_interrupted_cast_leaves_everything_as_it_was(tmp_path):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    before = Folder.of(tmp_path)
    assert interrupted(tmp_path, "sink.write", "SIGTERM", verb=("cast", "--to=float16")).returncode == 143
    assert Folder.of(tmp_path) == before


def test_an_edit_by_two_threads_is_interrupted_as_well(tmp_path):
    write_legacy(tmp_path / "large.h5", {"d": {"kernel": np.ones((1500, 1000), "f4")}})
    before = Folder.of(tmp_path)
    done = interrupted(tmp_path, "sink.write", "SIGINT", file="large.h5")
    assert done.returncode == 130, done.stderr
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption_while_the_files_change_places_comes_too_late_and_says_no_untruth(tmp_path, name):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    done = interrupted(tmp_path, "commit.link", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "model.keras.bak"]
    assert digest(tmp_path / "model.keras.bak") == digest(GOLDEN)
    assert digest(tmp_path / "model.keras") != digest(GOLDEN)
    path = tmp_path / "model.keras"
    complete = f"the edit was complete: {path} holds the result, the old file is {path}.bak"
    assert done.stderr == f"weightkit: interrupted; {complete}\n"
    assert plain_datasets(tmp_path / "model.keras").keys() == plain_datasets(GOLDEN).keys()


def test_a_restore_that_is_interrupted_says_whether_it_was_done(tmp_path):
    for name in ("model.h5", "model.h5.bak"):
        (tmp_path / name).write_text(name)
    for call, said in {
        "fsync": "nothing was changed",
        "link": f"model.h5.bak is back in its place, the file as it was is {tmp_path / 'model.h5.bak'}",
    }.items():
        code = (
            "import os, signal\n"
            f"whole = os.{call}\n"
            "def interrupted(*arguments):\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n"
            "    return whole(*arguments)\n"
            f"os.{call} = interrupted\n"
            "from weightkit.cli import main; main()\n"
        )
        command = [sys.executable, "-c", code, "restore", "model.h5"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (143, f"weightkit: interrupted; {said}\n")
    assert (tmp_path / "model.h5").read_text() == "model.h5.bak"


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_that_the_shell_has_us_ignore_is_ignored(tmp_path, name):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    command = [sys.executable, "-c", f"import signal; signal.signal(signal.{name}, signal.SIG_IGN)\n{INTERRUPTED}"]
    command += ["scale", "model.keras", "--factor", "0.5", name, "sink.write"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "model.keras") != digest(GOLDEN)


def test_a_new_output_is_not_left_behind_by_an_interruption(tmp_path):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    done = interrupted(tmp_path, "sink.write", "SIGTERM", "-o", "out.keras")
    assert done.returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_an_error_of_our_own_is_one_line_too_and_asks_for_a_report(tmp_path):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    before = Folder.of(tmp_path)
    code = (
        "import weightkit.access.hdf5.writing.placed_sink as sink\n"
        "def write(*_): raise ZeroDivisionError('oh')\n"
        "sink.PlacedSink.write = write\n"
        "from weightkit.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "scale", "model.keras", "--factor", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "internal error: ZeroDivisionError: oh" in done.stderr
    assert Folder.of(tmp_path) == before


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["scale", "--factor", "0.5"]])
def test_a_result_that_cannot_be_printed_is_told_in_one_line_that_says_no_untruth(tmp_path, arguments):
    shutil.copyfile(GOLDEN, tmp_path / "model.keras")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "weightkit", *arguments, "model.keras"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith("weightkit: the result cannot be printed: ")
    assert "everything else is done" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (digest(tmp_path / "model.keras") != digest(GOLDEN)) == (arguments[0] == "scale")


def test_signals_have_the_numbers_that_shells_know():
    assert (128 + signal.SIGINT, 128 + signal.SIGTERM) == (130, 143)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_of_which_an_import_makes_an_import_error_is_an_interruption(name, code):
    program = f"""
import os, signal, sys
from weightkit.cli import main as module
def importing(*_, **__):
    try:
        os.kill(os.getpid(), signal.{name})
        signal.pause()
    except BaseException as error:
        raise ImportError("numpy._core.umath failed to import") from error
sys.modules["weightkit.cli.main"].app = importing
sys.modules["weightkit.cli.main"].main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (code, "weightkit: interrupted; nothing was left half done\n")

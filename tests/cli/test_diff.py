"""weightkit diff, as users run it."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
from support import DATA, Folder, modules_loaded_by, on_a_terminal, run_weightkit, write_legacy

NESTED = DATA / "keras315_nested.keras"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
VALUES = np.random.default_rng(0).standard_normal((8, 8)).astype("f4")


@pytest.fixture
def halved(tmp_path):
    """The kernels of a file at half their size."""
    path = tmp_path / "halved.keras"
    done = run_weightkit("scale", NESTED, "--factor", "0.5", "--where", "role:kernel", "-o", path)
    assert done.returncode == 0, done.stderr
    return path


def diff(*arguments, code=0, **options):
    done = run_weightkit("diff", *arguments, **options)
    assert done.returncode == code, done.stderr
    return done


def test_the_same_weights_give_0_and_nothing_on_standard_output(tmp_path):
    shutil.copyfile(NESTED, tmp_path / "copy.keras")
    done = diff(NESTED, tmp_path / "copy.keras")
    assert done.stdout == ""
    assert "12 weights are equal\noptimizer state: 10 weights are equal\n" in done.stderr


def test_the_same_weights_in_another_format_give_0():
    diff(DATA / "tfkeras215_nested.h5", DATA / "tfkeras215_nested.keras")


def test_differences_give_1_a_line_each_and_a_summary(halved):
    done = diff(NESTED, halved, code=1)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(lines) == 4
    assert {line[0] for line in lines} == {"differs"}
    assert all(line[1].endswith("/kernel") and line[1] == line[2] for line in lines)
    assert [line[4] for line in lines] == ["0.5"] * 4
    assert {line[8] for line in lines} == {"scaled by 0.5"}
    assert "4 of 12 weights changed: 4 scaled by 0.5" in done.stderr


def test_lines_of_what_is_only_on_one_side_have_as_many_fields(tmp_path):
    a = write_legacy(tmp_path / "a.h5", {"d": {"kernel": VALUES}, "x": {"gain": VALUES[0]}})
    b = write_legacy(tmp_path / "b.h5", {"d": {"kernel": VALUES}, "y": {"bias": VALUES[0]}})
    lines = [line.split("\t") for line in diff(a, b, code=1).stdout.splitlines()]
    assert [line[:3] for line in lines] == [["missing", "x/gain", ""], ["extra", "", "y/bias"]]
    assert {len(line) for line in lines} == {9}


def test_the_json_says_what_it_is_and_holds_every_weight(halved):
    record = json.loads(diff(NESTED, halved, "--json", code=1).stdout, parse_constant=pytest.fail)
    assert (record["schema"], record["equal"], record["match"]) == ("weightkit.diff/1", False, "name")
    assert record["counts"] == {"differs": 4, "equal": 8}
    assert len(record["weights"]) == 12
    assert len(record["optimizer"]) == 10
    assert [weight["status"] for weight in record["weights"]] == ["differs"] * 4 + ["equal"] * 8
    assert record["weights"][0]["relative_l2"] == 0.5
    assert record["weights"][0]["what"] == "scaled by 0.5"
    assert json.loads(diff(NESTED, NESTED, "--json").stdout)["equal"] is True


def test_two_files_without_weights_give_0(tmp_path):
    done = diff(*(write_legacy(tmp_path / name, {"a": {}}) for name in ("a.h5", "b.h5")))
    assert "0 weights are equal" in done.stderr


def test_within_a_tolerance_is_equal(tmp_path):
    a = write_legacy(tmp_path / "a.h5", {"d": {"kernel": VALUES}})
    b = write_legacy(tmp_path / "b.h5", {"d": {"kernel": VALUES * np.float32(1.0001)}})
    diff(a, b, code=1)
    assert "1 weight is equal (1 only close)" in diff(a, b, "--rtol", "1e-3").stderr
    diff(a, b, "--atol", "1e-2")


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_a_tolerance_that_is_none_is_refused(value):
    assert "rtol must be a finite number >= 0, got" in diff(NESTED, NESTED, f"--rtol={value}", code=2).stderr


def test_a_rename_is_told(tmp_path):
    a = write_legacy(tmp_path / "a.h5", {"stem": {"kernel": VALUES}, "old": {"kernel": VALUES * 2}})
    b = write_legacy(tmp_path / "b.h5", {"stem": {"kernel": VALUES}, "new": {"kernel": VALUES * 2}})
    done = diff(a, b, code=1)
    assert done.stdout.split("\t")[:3] == ["renamed", "old/kernel", "new/kernel"]
    assert "layer old is renamed to new in the second" in done.stderr


def test_what_cannot_be_matched_is_refused_with_what_was_tried_and_settled_by_match():
    files = DATA / "keras1_layers.h5", NESTED
    refused = diff(*files, code=2)
    assert refused.stderr.count("\n") == 1
    assert all(
        word in refused.stderr
        for word in ("none by name and none by structure", "only in the first", "only in the second", "`show`")
    )
    assert diff(*files, "--match", "name", code=1).stdout.count("missing") == 24 * 2
    assert "invalid" in diff(*files, "--match", "luck", code=2).stderr.lower()


def test_a_missing_file_gives_2_and_a_damaged_one_3_never_1(tmp_path):
    diff(NESTED, tmp_path / "none.keras", code=2)
    (tmp_path / "damaged.keras").write_bytes(NESTED.read_bytes()[:-100])
    diff(NESTED, tmp_path / "damaged.keras", code=3)


def test_a_selection_narrows_it(halved):
    diff(NESTED, halved, "--exclude", "role:kernel")
    assert diff(NESTED, halved, "--where", "dense_1", code=1).stdout.count("\n") == 1
    assert "chooses nothing" in diff(NESTED, halved, "--where", "nothing", code=2).stderr


def test_on_a_terminal_a_table_fits_it_and_equal_weights_are_counted(tmp_path):
    layers = {f"layer_{n}": {"kernel": VALUES * (n + 1)} for n in range(5)}
    a = write_legacy(tmp_path / "a.h5", layers)
    seen = ESCAPES.sub("", on_a_terminal("diff", a, a, width=60))
    assert "5 weights are equal" in seen
    assert "layer_0/kernel" not in seen


def test_what_is_shown_is_escaped(tmp_path):
    a = write_legacy(tmp_path / "a.h5", {"d\x1b[31m": {"kernel": VALUES}})
    b = write_legacy(tmp_path / "b.h5", {"d\x1b[31m": {"kernel": -VALUES}})
    done = diff(a, b, code=1)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.split("\t")[1] == "d\\x1b[31m/kernel"


def test_comparing_changes_nothing(halved, tmp_path):
    before = Folder.of(tmp_path)
    diff(NESTED, halved, code=1)
    assert Folder.of(tmp_path) == before


def test_comparing_loads_neither_keras_nor_a_backend_nor_hdf5_in_our_process():
    code = "import sys; from weightkit.cli.main import run; run(['diff', *sys.argv[1:]])"
    assert modules_loaded_by(code, NESTED, NESTED) == {"numpy", "ml_dtypes"}


def test_off_a_terminal_there_are_no_terminal_sequences(halved):
    done = diff(NESTED, halved, code=1, env=os.environ | {"TERM": "xterm", "FORCE_COLOR": "1"})
    assert "\x1b" not in done.stdout + done.stderr

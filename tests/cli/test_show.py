"""weightkit show, as users run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from support import (
    DATA,
    GOLDEN,
    REAL,
    Folder,
    modules_loaded_by,
    on_a_terminal,
    plain_datasets,
    run_weightkit,
    write_legacy,
)

NESTED = DATA / "keras315_nested.keras"
FIELDS = [
    "structure", "path", "layer", "layer_class", "index", "name", "shape", "dtype", "kind", "trainable",
    "known_from", "bytes",
]  # fmt: skip
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def show(path, *options, **more):
    done = run_weightkit("show", path, *options, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", GOLDEN[::4] + REAL, ids=lambda path: path.name)
def test_every_dataset_is_shown_as_json_and_as_lines(path):
    datasets = plain_datasets(path)
    record = json.loads(show(path, "--json"))
    assert list(record) == ["schema", "file", "format", "keras_version", "weights", "totals", "notes"]
    assert record["schema"] == "weightkit.show/1"
    assert all(list(weight) == FIELDS for weight in record["weights"])
    structures = [weight["structure"] for weight in record["weights"]]
    assert sorted(name if name in datasets else f"model_weights/{name}" for name in structures) == sorted(datasets)
    lines = [line.split("\t") for line in show(path).splitlines()]
    assert [line[1] for line in lines] == structures
    assert [line[0] for line in lines] == [weight["path"] for weight in record["weights"]]
    assert [int(line[6]) for line in lines] == [weight["bytes"] for weight in record["weights"]]


def test_lines_have_the_documented_fields():
    line = next(line for line in show(NESTED).splitlines() if line.startswith("encoder/inner/deep/kernel\t"))
    structure = "layers/functional/layers/sequential/layers/dense/vars/0"
    assert line.split("\t") == ["encoder/inner/deep/kernel", structure, "Dense", "2,2", "float32", "parameter", "16"]


def test_with_statistics_lines_end_in_the_measures(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1, -3, 0, np.nan, np.inf], "f4")}})
    assert show(path, "--stats").rstrip("\n").split("\t")[7:] == [
        "-3.0", "1.0", repr(-2 / 3), repr(float(np.std([1.0, -3, 0]))), repr(float(np.sqrt(10))), "1", "1", "1",
    ]  # fmt: skip


def test_statistics_as_json_equal_numpy():
    datasets = plain_datasets(NESTED)
    for weight in json.loads(show(NESTED, "--stats", "--json"))["weights"]:
        values = np.asarray(datasets[weight["structure"]], np.float64)
        assert list(weight["stats"]) == ["min", "max", "mean", "std", "norm", "zeros", "nan", "inf"]
        expected = [values.min(), values.max(), values.mean(), values.std(), np.linalg.norm(values)]
        assert list(weight["stats"].values())[:5] == pytest.approx(expected)


def test_json_never_holds_nan_or_infinity(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([np.nan, np.inf], "f4"), "bias": np.ones(0)}})
    record = json.loads(show(path, "--stats", "--json"), parse_constant=pytest.fail)
    assert [weight["stats"]["min"] for weight in record["weights"]] == [None, None]


def test_json_is_one_line_on_standard_output_and_nothing_on_standard_error():
    done = run_weightkit("show", NESTED, "--json")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_remarks_go_to_standard_error_where_standard_output_is_for_programs():
    done = run_weightkit("show", NESTED)
    assert len(done.stdout.splitlines()) == len(plain_datasets(NESTED))
    assert f"{NESTED}: .keras archive, Keras 3.15.1" in done.stderr


def test_a_listing_is_narrowed_by_where_and_exclude():
    lines = show(
        NESTED, "--where", "encoder", "-w", "dense_1", "--exclude", "name:bias", "-x", "class:BatchNormalization"
    )
    assert [line.split("\t")[0] for line in lines.splitlines()] == [
        "encoder/dense/kernel",
        "encoder/inner/deep/kernel",
        "dense_1/kernel",
    ]


def test_names_are_not_cut_and_are_escaped_so_that_each_weight_has_one_line(tmp_path):
    long = "l" * 300
    layers = {f"{long}\n\x1b[31m\tx\u202e": {"kernel": np.ones(2, "f4")}, "b": {"kernel": np.ones(2, "f4")}}
    lines = show(write_legacy(tmp_path / "m.h5", layers)).splitlines()
    assert len(lines) == 2
    assert lines[0].split("\t")[0] == f"{long}\\n\\x1b[31m\\tx\\u202e/kernel"
    assert len(lines[0].split("\t")) == 7


@pytest.mark.parametrize("path", [NESTED, DATA / "tfkeras215_attention.h5", *REAL], ids=lambda path: path.name)
@pytest.mark.parametrize("options", [[], ["--stats"]], ids=["plain", "stats"])
def test_on_a_terminal_a_table_fits_it_and_shows_every_weight(path, options):
    seen = ESCAPES.sub("", on_a_terminal("show", path, *options))
    assert max(map(len, seen.splitlines())) <= 80
    assert "…" not in seen
    table = seen.split("\n", 1)[1]
    first_column = "".join(line.split("  ")[0].strip() for line in table.splitlines())
    for line in show(path).splitlines():
        assert line.split("\t")[0].replace(" ", "") in first_column.replace(" ", "")


@pytest.mark.parametrize("width", [20, 40, 60])
@pytest.mark.parametrize("options", [[], ["--stats"]], ids=["plain", "stats"])
def test_a_terminal_too_narrow_for_the_table_shows_every_field_all_the_same(width, options):
    path = DATA / "keras20_copied.h5"
    narrow = ESCAPES.sub("", on_a_terminal("show", path, *options, width=width))
    wide = ESCAPES.sub("", on_a_terminal("show", path, *options, width=200))
    assert max(map(len, narrow.split("\n"))) <= width
    together = re.sub(r"\s", "", narrow)
    heading, *rows = wide.split("\n")[1:14]
    for row in rows:
        assert re.sub(r"\s", "", row.split()[0]) in together
        assert all(cell in together for cell in row.split()[1:])
    assert all(name in together for name in heading.split()[1:])


def test_on_a_terminal_names_are_escaped(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"a\x1b[31m\x07": {"kernel": np.ones(2, "f4")}, "[red]b": {"kernel": [1.0]}})
    seen = on_a_terminal("show", path)
    assert "a\\x1b[31m\\x07/kernel" in ESCAPES.sub("", seen)
    assert "[red]b/kernel" in ESCAPES.sub("", seen)
    assert "\x07" not in seen


def test_colors_are_used_on_a_terminal_unless_no_color_is_set():
    assert re.search(r"\x1b\[[0-9;]*m", on_a_terminal("show", NESTED))
    assert not re.search(r"\x1b\[(?:3|4|9|10)[0-9;]*m", on_a_terminal("show", NESTED, NO_COLOR="1"))


def test_off_a_terminal_there_are_no_terminal_sequences():
    done = run_weightkit("show", NESTED, "--stats", env=os.environ | {"TERM": "xterm", "FORCE_COLOR": "1"})
    assert "\x1b" not in done.stdout + done.stderr


def test_a_closed_pipe_is_silent(tmp_path):
    layers = {f"layer_{number:04}": {"kernel": np.ones(1, "f4")} for number in range(3000)}
    path = write_legacy(tmp_path / "m.h5", layers)
    for options in ([], ["--json"]):
        command = [sys.executable, "-m", "weightkit", "show", str(path), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.read(10)
            process.stdout.close()
            said = process.stderr.read()
        assert said == b""
        # One large write may be taken whole by the kernel although nobody reads on; then all went well.
        assert process.returncode == 141 or options


def test_showing_changes_nothing(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(3, "f4")}})
    before = Folder.of(tmp_path)
    show(path, "--stats")
    assert Folder.of(tmp_path) == before


def test_a_file_that_may_only_be_read_is_shown(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.ones(3, "f4")}})
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    assert show(path)
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("options", [[], ["--json"], ["--stats"]])
def test_showing_loads_neither_keras_nor_a_backend_nor_hdf5_in_our_process(options):
    code = "import sys; from weightkit.cli.main import run; run(['show', *sys.argv[1:]])"
    assert modules_loaded_by(code, NESTED, *options) == {"numpy", "ml_dtypes"}


def test_names_can_be_borrowed_for_showing():
    done = run_weightkit("show", DATA / "keras315_subclassed.weights.h5", "--like", NESTED)
    assert done.returncode == 2
    assert "names none of the" in done.stderr


def test_a_selection_that_chooses_nothing_is_an_error():
    done = run_weightkit("show", NESTED, "--where", "encodr")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("the selection 'encodr' chooses nothing — did you mean encoder?\n")

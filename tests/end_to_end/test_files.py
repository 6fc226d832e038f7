"""Every golden and real file, scaled by the command line and compared with plain h5py and NumPy."""

from __future__ import annotations

import json
import os
import shutil
import zipfile

import pytest
from support import DATA, GOLDEN, REAL, digest, half, plain_datasets, plain_layout, run_weightkit

UNDECIDED = {
    "keras315_subclassed.weights.h5",
    "tfkeras215_subclassed.weights.h5",
    "tfkeras215_subclassed.weights_only.h5",
}  # a default edit is refused: nothing in them tells what some weights are
QUANTISED = {"keras315_int8.keras"}
FILES = [path for path in GOLDEN + REAL if path.name not in QUANTISED]


def scale(path, *options):
    done = run_weightkit("scale", path, "--factor", "0.5", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def require_exactly_halved(before, after, report):
    """Each changed weight is half of what it was, bit for bit; all else is as it was, to the place of each byte."""
    old, new = plain_datasets(before), plain_datasets(after)
    structures = [weight["structure"] for weight in report["changed"]]
    changed = {name if name in old else f"model_weights/{name}" for name in structures}
    assert len(changed) == len(structures) > 0
    for name, values in old.items():
        expected = half(values) if name in changed else values
        assert new[name].dtype == values.dtype
        assert new[name].tobytes() == expected.tobytes(), name
    assert plain_layout(after) == plain_layout(before)
    assert after.stat().st_size == before.stat().st_size


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_scaling_halves_each_chosen_weight_and_leaves_all_else_in_place_and_elsewhere_alike(path, tmp_path):
    where = ["--where", "**"] if path.name in UNDECIDED else []
    model, out = tmp_path / path.name, tmp_path / "out"
    shutil.copyfile(path, model)
    report = scale(model, "-o", out, *where)
    assert digest(model) == digest(path)
    require_exactly_halved(path, out, report)
    assert {weight["kind"] for weight in report["changed"]} <= {"parameter", "unknown"}
    again = scale(model, *where)
    assert digest(model) == digest(out)
    assert again["changed"] == report["changed"]
    assert digest(tmp_path / f"{path.name}.bak") == digest(path)
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, f"{path.name}.bak", "out"}


@pytest.mark.parametrize("path", [path for path in GOLDEN if path.suffix == ".keras" and path.name not in QUANTISED])
def test_an_edited_archive_is_sound_and_its_other_members_are_as_they_were(path, tmp_path):
    out = tmp_path / "out.keras"
    scale(path, "-o", out)
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(out) as after:
        assert after.testzip() is None
        assert after.namelist() == before.namelist()
        for name in set(before.namelist()) - {"model.weights.h5"}:
            assert after.read(name) == before.read(name)


@pytest.mark.parametrize("name", sorted(UNDECIDED | QUANTISED))
def test_a_default_edit_that_cannot_know_what_it_would_do_is_refused(name, tmp_path):
    model = tmp_path / name
    shutil.copyfile(DATA / name, model)
    done = run_weightkit("scale", model, "--factor", "0.5")
    assert done.returncode == 2
    assert digest(model) == digest(DATA / name)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["keras315_nested.keras", "keras20_optimizer.h5", "keras315_bfloat16.weights.h5"])
def test_scaling_up_again_restores_the_file_bit_for_bit(name, tmp_path):
    model = tmp_path / name
    shutil.copyfile(DATA / name, model)
    for factor in ("0.5", "2"):
        assert run_weightkit("scale", model, "--factor", factor, "--no-backup").returncode == 0
    assert digest(model) == digest(DATA / name)


def test_the_folder_of_real_files_is_read_where_it_is_given():
    assert bool(REAL) == bool(os.environ.get("WEIGHTKIT_REAL_MODELS"))

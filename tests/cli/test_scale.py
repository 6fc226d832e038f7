"""weightkit scale, as users run it: every option, and what is left on the disk."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from support import DATA, Folder, digest, half, modules_loaded_by, plain_datasets, run_weightkit, write_legacy

GOLDEN = DATA / "keras315_nested.keras"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(GOLDEN, path)
    return path


def scale(*arguments, code=0, **options):
    done = run_weightkit("scale", *arguments, **options)
    assert done.returncode == code, done.stderr
    return done


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def changed_names(before, after):
    first, second = plain_datasets(before), plain_datasets(after)
    assert first.keys() == second.keys()
    return {name for name in first if first[name].tobytes() != second[name].tobytes()}


def test_in_place_the_file_as_it_was_is_kept_as_a_backup(model):
    done = scale(model, "--factor", "0.5")
    assert names(model.parent) == ["model.keras", "model.keras.bak"]
    assert digest(model.with_name("model.keras.bak")) == digest(GOLDEN)
    assert f"the file as it was: {model}.bak" in done.stderr
    before = plain_datasets(GOLDEN)
    changed = changed_names(GOLDEN, model)
    assert len(changed) == 10
    assert all(plain_datasets(model)[name].tobytes() == half(before[name]).tobytes() for name in changed)


def test_lines_say_what_changed_and_what_was_left_and_why(model):
    lines = [line.split("\t") for line in scale(model, "--factor", "0.5").stdout.splitlines()]
    assert len(lines) == len(plain_datasets(GOLDEN))
    assert {line[2] for line in lines if line[0] == "change"} == changed_names(GOLDEN, model)
    assert {len(line) for line in lines if line[0] == "change"} == {3}
    assert {line[3] for line in lines if line[0] == "leave"} == {"optimizer state", "statistic, measured from data"}


@pytest.mark.parametrize("option", ["-o", "--output"])
def test_an_output_leaves_the_file_alone(model, option):
    scale(model, "-f", "0.5", option, model.with_name("out.keras"))
    assert digest(model) == digest(GOLDEN)
    assert names(model.parent) == ["model.keras", "out.keras"]
    assert len(changed_names(model, model.with_name("out.keras"))) == 10


def test_force_overwrites_an_output_and_nothing_else_does(model):
    out = model.with_name("out.keras")
    out.write_text("precious")
    refused = scale(model, "--factor", "0.5", "-o", out, code=2)
    assert "the output exists already" in refused.stderr
    assert out.read_text() == "precious"
    scale(model, "--factor", "0.5", "-o", out, "--force")
    assert len(changed_names(model, out)) == 10
    assert names(model.parent) == ["model.keras", "out.keras"]


def test_no_backup_keeps_none(model):
    scale(model, "--factor", "0.5", "--no-backup")
    assert names(model.parent) == ["model.keras"]
    assert len(changed_names(GOLDEN, model)) == 10


@pytest.mark.parametrize("option", ["-n", "--dry-run"])
@pytest.mark.parametrize("more", [[], ["--json"], ["-o", "out.keras"], ["--no-backup"]])
def test_a_dry_run_changes_nothing_at_all(model, option, more):
    before = Folder.of(model.parent)
    scale(model.name, "--factor", "0.5", option, *more, cwd=model.parent)
    assert Folder.of(model.parent) == before


def test_a_dry_run_says_exactly_what_the_edit_then_says(model):
    planned = scale(model, "--factor", "0.5", "-n")
    done = scale(model, "--factor", "0.5")
    assert planned.stdout == done.stdout
    assert "nothing was changed: this was a dry run" in planned.stderr
    assert "would change 10 of 22 weights" in planned.stderr
    assert "changed 10 of 22 weights" in done.stderr


def test_where_and_exclude_choose(model):
    scale(model, "--factor", "0.5", "--where", "encoder", "-w", "dense_1", "--exclude", "name:bias")
    inner = "layers/functional/layers/sequential/layers"
    assert changed_names(GOLDEN, model) == {
        "layers/functional/layers/dense/vars/0",
        f"{inner}/dense/vars/0",
        f"{inner}/batch_normalization/vars/0",
        f"{inner}/batch_normalization/vars/1",
        "layers/dense_1/vars/0",
    }


def test_the_json_report_accounts_for_every_weight(model):
    done = scale(model, "--factor", "0.5", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["schema"] == "weightkit.report/1"
    assert {weight["structure"] for weight in report["changed"]} == changed_names(GOLDEN, model)
    every = [weight["structure"] for weight in report["changed"] + report["skipped"]]
    assert sorted(every) == sorted(plain_datasets(GOLDEN))
    assert (report["output"], report["backup"], report["dry_run"]) == (str(model), f"{model}.bak", False)
    assert (report["file"], report["transform"], report["notes"]) == (str(model), "scale(0.5)", [])


def test_the_json_report_of_a_dry_run_is_that_of_the_edit_but_for_where_it_went(model):
    planned = json.loads(scale(model, "--factor", "0.5", "--json", "-n").stdout)
    done = json.loads(scale(model, "--factor", "0.5", "--json").stdout)
    assert planned.pop("dry_run") is True
    assert {name for name in planned if planned[name] != done[name]} == {"output", "backup", "backups"}


@pytest.mark.parametrize("factor", ["0", "-0", "0.0"])
def test_a_factor_of_zero_is_allowed_and_said(model, factor):
    done = scale(model, f"--factor={factor}")
    assert "the factor is 0: every chosen weight becomes zero" in done.stderr
    after = plain_datasets(model)
    assert all(not after[name].any() for name in changed_names(GOLDEN, model))


@pytest.mark.parametrize("factor", ["-1", "2", "0.1", "1e-3", "-2.5E+1"])
def test_any_finite_factor_scales_as_numpy_does_a_negative_one_too(tmp_path, factor):
    values = np.random.default_rng(5).standard_normal(50).astype("f4")
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    scale(path, "--factor", factor)
    assert plain_datasets(path)["d/d/kernel:0"].tobytes() == (values * np.float32(float(factor))).tobytes()


def test_an_overflow_of_float16_is_refused_with_its_counts_and_let_by_when_that_is_said(tmp_path):
    values = np.array([6e4, 1, -5e4, np.inf], np.float16)
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": values}})
    before = Folder.of(tmp_path)
    refused = scale(path, "--factor", "2", code=3)
    assert "2 infinities and 0 NaNs" in refused.stderr
    assert "--allow-nonfinite" in refused.stderr
    assert Folder.of(tmp_path) == before
    done = scale(path, "--factor", "2", "--allow-nonfinite")
    assert "d/kernel: 2 new infinities, 0 new NaNs" in done.stderr
    assert plain_datasets(path)["d/d/kernel:0"].tolist() == [np.inf, 2, -np.inf, np.inf]


def test_undecided_weights_are_settled_by_where_exclude_or_like(tmp_path):
    layers = {"dense": {"kernel": np.ones(2, "f4")}, "mine": {"gain": np.ones(2, "f4")}}
    path = write_legacy(tmp_path / "m.h5", layers)
    refused = scale(path, "--factor", "0.5", "-n", code=2)
    assert all(option in refused.stderr for option in ("mine/gain", "--where", "--exclude", "--like"))
    assert scale(path, "--factor", "0.5", "-n", "--where", "**").stdout.count("change\t") == 2
    assert scale(path, "--factor", "0.5", "-n", "--exclude", "mine").stdout.count("change\t") == 1


@pytest.mark.parametrize("name", ["-odd.keras", "--json", "a b.keras", "ü\n.keras"])
def test_a_file_of_any_name_is_edited(model, name):
    shutil.move(model, model.parent / name)
    scale("--factor", "0.5", "--", name, cwd=model.parent)
    assert names(model.parent) == sorted([name, f"{name}.bak"])


def test_a_symbolic_link_is_followed_and_the_backup_lies_beside_its_target(model, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.keras"
    link.symlink_to(model)
    scale(link, "--factor", "0.5")
    assert link.is_symlink()
    assert names(tmp_path) == ["links", "model.keras", "model.keras.bak"]
    assert names(tmp_path / "links") == ["link.keras"]


def test_mode_is_kept_when_a_file_is_edited_in_place(model):
    model.chmod(0o640)
    scale(model, "--factor", "0.5")
    assert model.stat().st_mode & 0o777 == 0o640


def test_an_edit_loads_neither_keras_nor_a_backend_nor_hdf5_in_our_process(model):
    code = "import sys; from weightkit.cli.main import run; run(['scale', *sys.argv[1:]])"
    assert modules_loaded_by(code, model, "--factor", "0.5") == {"numpy", "ml_dtypes"}
    assert len(changed_names(GOLDEN, model)) == 10

"""weightkit scale, as users run it: factors, and what they do; the rest is in test_editing.py."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import DATA, Folder, plain_datasets, run_weightkit, write_legacy

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


@pytest.mark.parametrize("factor", ["0", "-0", "0.0"])
def test_a_factor_of_zero_is_allowed_and_said(model, factor):
    done = scale(model, f"--factor={factor}")
    assert "the factor is 0: every selected weight becomes zero" in done.stderr
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


def test_a_symbolic_link_is_followed_and_the_backup_lies_beside_its_target(model, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.keras"
    link.symlink_to(model)
    scale(link, "--factor", "0.5")
    assert link.is_symlink()
    assert names(tmp_path) == ["links", "model.keras", "model.keras.bak"]
    assert names(tmp_path / "links") == ["link.keras"]


def test_three_processes_copy_one_file_at_the_same_time(tmp_path, model):
    arguments = [[f"--factor={factor}", "-o", str(tmp_path / f"{factor}.keras")] for factor in (2, 4, 8)]
    command = [sys.executable, "-m", "weightkit", "scale", str(model)]
    running = [subprocess.Popen([*command, *each], stderr=subprocess.PIPE, text=True) for each in arguments]
    said = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    before = plain_datasets(model)
    for factor in (2, 4, 8):
        after = plain_datasets(tmp_path / f"{factor}.keras")
        changed = changed_names(GOLDEN, tmp_path / f"{factor}.keras")
        assert changed
        assert all(np.array_equal(after[name], before[name] * factor) for name in changed)

"""weightkit reinitialize, as users run it; what every edit does is in test_editing.py."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from support import DATA, Folder, on_a_terminal, plain_datasets, run_weightkit

GOLDEN = DATA / "tfkeras215_nested.h5"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copyfile(GOLDEN, path)
    return path


def reinit(*arguments, code=0, **options):
    done = run_weightkit("reinitialize", *arguments, **options)
    assert done.returncode == code, done.stderr
    return done


def test_the_same_seed_gives_the_same_file_byte_for_byte(model, tmp_path):
    for name in ("a.h5", "b.h5"):
        done = reinit(model, "--seed", 7, "-o", tmp_path / name)
        assert "the seed is 7" in done.stderr
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_without_a_seed_a_fresh_one_is_printed_that_gives_the_same_again(model, tmp_path):
    said = reinit(model, "-o", tmp_path / "a.h5").stderr
    seed = re.search(r"the seed is (\d+)", said)[1]
    assert f"Reinitialize(seed={seed})" in said
    reinit(model, "-s", seed, "-o", tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_seed_is_printed_on_a_terminal_too(model):
    assert "the seed is 7" in on_a_terminal("reinitialize", model, "--seed", "7", "-n")


def test_a_dry_run_plans_what_would_be_done_and_does_nothing(model, tmp_path):
    before = Folder.of(tmp_path)
    done = reinit(model, "--seed", 7, "--dry-run")
    assert done.stdout.count("change\t") == 18
    assert Folder.of(tmp_path) == before


def test_json_tells_the_transform_with_its_seed(model):
    record = json.loads(reinit(model, "-i", "random_normal(stddev=0.02)", "-s", 7, "-n", "--json").stdout)
    assert record["transform"] == "Reinitialize('random_normal(stddev=0.02)', seed=7)"
    assert {weight["kind"] for weight in record["changed"]} == {"parameter"}


def test_an_initializer_draws_what_is_chosen_and_the_rest_stays(model):
    reinit(model, "--initializer", "ones", "--where", "name:recurrent_kernel", "--seed", 1)
    before, after = plain_datasets(GOLDEN), plain_datasets(model)
    changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
    assert changed == {name for name in before if name.endswith("recurrent_kernel:0")}
    assert all(set(after[name].ravel().tolist()) == {1} for name in changed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--initializer", "best"], "he_normal"),
        (["--seed", "-1"], "seed must be an integer >= 0, got -1"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_a_wrong_request_is_one_line_and_changes_nothing(model, tmp_path, arguments, said):
    before = Folder.of(tmp_path)
    refused = reinit(model, *arguments, code=2)
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert Folder.of(tmp_path) == before


def test_a_file_without_a_configuration_is_refused_until_an_initializer_is_given(tmp_path):
    path = tmp_path / "model.weights.h5"
    shutil.copyfile(DATA / "keras315_float16.weights.h5", path)
    refused = reinit(path, code=2)
    assert all(word in refused.stderr for word in ("first/kernel", "no configuration", "--initializer", "--exclude"))
    assert reinit(path, "--initializer", "he_normal").stdout.count("change\t") == 4

"""What every command that edits does alike, as users run it: where the result goes, and what is said of it."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from support import DATA, Folder, digest, modules_loaded_by, on_a_terminal, plain_datasets, plain_things, run_weightkit

GOLDEN = DATA / "keras315_nested.keras"
VERBS = {
    "scale": ("scale", "--factor=0.5"),
    "reinit": ("reinit", "--initializer=random_normal", "--seed=7"),
    "cast": ("cast", "--to=float16"),
    "strip": ("strip",),
    "drop": ("drop", "--where=encoder"),
}
CHOSEN = {"scale": 10, "reinit": 10, "cast": 10, "strip": 10, "drop": 8}
REMOVING = {"strip", "drop"}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(GOLDEN, path)
    return path


@pytest.fixture(params=VERBS)
def verb(request):
    return request.param


def run(verb, *arguments, code=0, **options):
    done = run_weightkit(*VERBS[verb], *arguments, **options)
    assert done.returncode == code, done.stderr
    return done


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def touched(before, after):
    """Datasets that are gone, or have other bytes or another type."""
    old, new = plain_things(before), plain_things(after)
    assert new.keys() <= old.keys()
    return {name for name, thing in old.items() if thing.dtype and new.get(name) != thing}


def test_in_place_the_file_as_it_was_is_kept_as_a_backup(model, verb):
    done = run(verb, model)
    assert names(model.parent) == ["model.keras", "model.keras.bak"]
    assert digest(model.with_name("model.keras.bak")) == digest(GOLDEN)
    assert f"the old file is kept as {model}.bak" in done.stderr
    assert len(touched(GOLDEN, model)) == CHOSEN[verb]


def test_an_output_leaves_the_file_alone_and_is_overwritten_only_by_force(model, verb):
    out = model.with_name("out.keras")
    run(verb, model, "-o", out)
    assert len(touched(model, out)) == CHOSEN[verb]
    out.write_text("precious")
    assert "the output exists already" in run(verb, model, "-o", out, code=2).stderr
    assert out.read_text() == "precious"
    run(verb, model, "--output", out, "--force")
    assert len(touched(model, out)) == CHOSEN[verb]
    assert names(model.parent) == ["model.keras", "out.keras"]
    assert digest(model) == digest(GOLDEN)


def test_no_backup_keeps_none(model, verb):
    run(verb, model, "--no-backup")
    assert names(model.parent) == ["model.keras"]


@pytest.mark.parametrize("more", [["-n"], ["--dry-run", "--json"], ["-n", "-o", "out.keras"], ["-n", "--no-backup"]])
def test_a_dry_run_changes_nothing_at_all(model, verb, more):
    before = Folder.of(model.parent)
    run(verb, model.name, *more, cwd=model.parent)
    assert Folder.of(model.parent) == before


def test_a_dry_run_refuses_what_the_edit_would_refuse_and_touches_nothing(model, verb):
    out = model.with_name("out.keras")
    out.write_text("precious")
    (model.parent / "link.keras").hardlink_to(model)
    before = Folder.of(model.parent)
    cases = {
        ("-o", out): "the output exists already",
        ("-o", model): "the output is the input",
        ("-o", model.parent / "none" / "out.keras"): "does not exist",
        (): "it has 2 hard links",
    }
    for more, why in cases.items():
        planned, done = (run(verb, model, *dry, *more, code=2).stderr for dry in (["-n"], []))
        assert why in planned
        assert planned == done
    run(verb, model, "-n", "--break-links")
    assert Folder.of(model.parent) == before


def test_a_dry_run_says_exactly_what_the_edit_then_says(model, verb):
    planned, done = run(verb, model, "-n"), run(verb, model)
    act, past = ("drop", "dropped") if verb in REMOVING else ("change", "changed")
    assert planned.stdout == done.stdout
    assert f" would {act} {CHOSEN[verb]} of 22 weights, " in planned.stderr
    assert "nothing was changed: this was a dry run" in planned.stderr
    assert f" {past} {CHOSEN[verb]} of 22 weights, " in done.stderr


def test_lines_say_what_was_touched_and_what_was_left_and_why(model, verb):
    lines = [line.split("\t") for line in run(verb, model).stdout.splitlines()]
    assert len(lines) == len(plain_datasets(GOLDEN))
    act = "drop" if verb in REMOVING else "change"
    assert {line[2] for line in lines if line[0] == act} == touched(GOLDEN, model)
    assert {(line[0], len(line)) for line in lines} == {(act, 3), ("leave", 4)}
    assert all(line[3] for line in lines if line[0] == "leave")


def test_the_json_report_accounts_for_every_weight(model, verb):
    done = run(verb, model, "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["schema"] == "weightkit.report/1"
    key, other = ("dropped", "changed") if verb in REMOVING else ("changed", "dropped")
    assert report[other] == []
    assert {weight["structure"] for weight in report[key]} == touched(GOLDEN, model)
    assert report["bytes"] == sum(weight["bytes"] for weight in report[key])
    every = [weight["structure"] for weight in report["changed"] + report["dropped"] + report["skipped"]]
    assert sorted(every) == sorted(plain_datasets(GOLDEN))
    assert (report["file"], report["output"], report["backup"]) == (str(model), str(model), f"{model}.bak")
    assert report["transform"] == {
        "scale": "Scale(0.5)", "reinit": "Reinitialize('random_normal', seed=7)",
        "cast": "Cast('float16')", "strip": "Strip()", "drop": "Drop()",
    }[verb]  # fmt: skip


def test_the_json_report_of_a_dry_run_is_that_of_the_edit_but_for_what_only_the_edit_can_know(model, verb):
    planned, done = (json.loads(run(verb, model, "--json", *more).stdout) for more in (["-n"], []))
    assert planned["dry_run"] is True
    assert planned.keys() == done.keys()
    known = {name for name in planned if planned[name] == done[name]}
    assert known >= {"schema", "file", "transform", "dropped", "skipped", "bytes", "notes"}
    for weight in done["changed"]:
        weight.pop("inexact", None)
    assert planned["changed"] == done["changed"]


def test_on_a_terminal_a_table_fits_it_and_shows_every_weight_that_is_touched(model, verb):
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(*VERBS[verb], "-n", model))
    assert max(map(len, seen.splitlines())) <= 80
    column = "".join(line.split("  ")[0].strip() for line in seen.split("\n", 1)[1].splitlines())
    for line in run(verb, model, "-n").stdout.splitlines():
        if not line.startswith("leave"):
            assert line.split("\t")[1] in column


@pytest.mark.parametrize("name", ["-odd.keras", "--json", "ü\n.keras"])
def test_a_file_of_any_name_is_edited(model, verb, name):
    shutil.move(model, model.parent / name)
    run(verb, "--", name, cwd=model.parent)
    assert names(model.parent) == sorted([name, f"{name}.bak"])


def test_mode_is_kept_when_a_file_is_edited_in_place(model, verb):
    model.chmod(0o640)
    run(verb, model)
    assert model.stat().st_mode & 0o777 == 0o640


def test_an_edit_loads_neither_keras_nor_a_backend_nor_hdf5_in_our_process(model, verb):
    code = "import sys; from weightkit.cli.main import run; run(sys.argv[1:])"
    assert modules_loaded_by(code, *VERBS[verb], model) == {"numpy", "ml_dtypes"}
    assert len(touched(GOLDEN, model)) == CHOSEN[verb]


@pytest.mark.parametrize("verb", ["scale", "cast", "drop"])
def test_where_and_exclude_choose(model, verb):
    where = [*VERBS[verb][:1], *(part for part in VERBS[verb][1:] if "where" not in part)]
    options = ["--where", "encoder", "-w", "dense_1", "--exclude", "name:bias", "-x", "class:BatchNormalization"]
    done = run_weightkit(*where, model, *options)
    assert done.returncode == 0, done.stderr
    assert touched(GOLDEN, model) == {
        "layers/functional/layers/dense/vars/0",
        "layers/functional/layers/sequential/layers/dense/vars/0",
        "layers/dense_1/vars/0",
    }


def test_what_a_cast_loses_is_said_in_words_and_as_counts(model):
    done = run("cast", model, "-o", model.with_name("out.keras"), "--json")
    lost = sum(weight.get("inexact", 0) for weight in json.loads(done.stdout)["changed"])
    said = run("cast", model)
    assert f"{lost} elements lost digits, 0 of them became zero" in said.stderr


def test_what_keras_will_say_of_the_result_is_said_before_it_is_made(model):
    assert "Keras' load_model will fail" in run("drop", model, "-n").stderr
    assert "compile the model again after loading" in run("strip", model, "-n").stderr

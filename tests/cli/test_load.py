"""weightkit load, as users run it: which weights come from where, and what to do about those that do not."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from support import DATA, Folder, digest, plain_datasets, run_weightkit, write_legacy

RNG = np.random.default_rng(12)


def model(path, layers):
    """A file of Dense layers: kernels of these shapes, all numbers their own."""
    values = {
        layer: {"kernel": RNG.random(shape, "f4"), "bias": RNG.random(shape[-1:], "f4")}
        for layer, shape in layers.items()
    }
    return write_legacy(path, values)


def load(*arguments, code=0, **options):
    done = run_weightkit("load", *map(str, arguments), **options)
    assert done.returncode == code, done.stderr
    return done


def kernel(path, layer):
    return plain_datasets(path)[f"{layer}/{layer}/kernel:0"].tobytes()


@pytest.fixture
def pair(tmp_path):
    """A source and a target that differ in one name."""
    source = model(tmp_path / "source.h5", {"a": (2, 3), "old": (3, 4)})
    return source, model(tmp_path / "target.h5", {"a": (2, 3), "new": (3, 4)})


def test_the_weights_of_a_file_come_into_another_of_another_format_which_keeps_a_backup(tmp_path):
    target = tmp_path / "model.keras"
    shutil.copyfile(DATA / "keras315_nested.keras", target)
    source = tmp_path / "half.keras"
    run_weightkit("scale", target, "--factor", "0.5", "-o", source)
    before, wanted = plain_datasets(target), plain_datasets(source)
    done = load(source, target)
    assert "matched by name" in done.stderr
    after = plain_datasets(target)
    changed = {line.split("\t")[2] for line in done.stdout.splitlines() if line.startswith("change\t")}
    assert {name for name in after if after[name].tobytes() != before[name].tobytes()} <= changed
    assert all(after[name].tobytes() == (wanted if name in changed else before)[name].tobytes() for name in after)
    assert digest(tmp_path / "model.keras.bak") == digest(DATA / "keras315_nested.keras")


def test_a_dry_run_says_how_and_changes_nothing(pair, tmp_path):
    before = Folder.of(tmp_path)
    done = load(*pair, "-n")
    assert "target.h5: LoadWeights('" in done.stderr
    assert "matched by order: 4 weights\nlayers of other names: new (old there)\n" in done.stderr
    assert Folder.of(tmp_path) == before


def test_a_layer_goes_where_it_is_told_to(tmp_path):
    source = model(tmp_path / "source.h5", {"a": (2, 2), "b": (2, 2), "c": (3, 3)})
    target = model(tmp_path / "target.h5", {"x": (2, 2), "y": (2, 2)})
    load(source, target, "--rename", "a=y", "-r", "b=x")
    assert (kernel(target, "y"), kernel(target, "x")) == (kernel(source, "a"), kernel(source, "b"))
    out = tmp_path / "out.h5"
    load(source, target, "-r", "c=x", "--on-mismatch", "skip", "--on-missing", "skip", "-o", out, code=2)
    load(source, target, "--source-at", "a", "--target-at", "x", "-o", out)
    assert (kernel(out, "x"), kernel(out, "y")) == (kernel(source, "a"), kernel(target, "y"))


def test_an_equals_sign_in_a_name_is_written_with_a_backslash(tmp_path):
    source, target = model(tmp_path / "source.h5", {"a=1": (2, 2)}), model(tmp_path / "target.h5", {"b": (2, 2)})
    assert r"did you mean 'a\=1'?" in load(source, target, "--rename", "a=1=b", code=2).stderr
    load(source, target, "--rename", r"a\=1=b")
    assert kernel(target, "b") == kernel(source, "a=1")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-r", "old"], "--rename must be OLD=NEW, got 'old'"),
        (["-r", "old="], "--rename must be OLD=NEW, got 'old='"),
        (["-r", "old=new", "-r", "old=a"], "--rename must give each OLD once, got 'old' twice"),
        (["-r", "odl=new"], "rename: 'odl' matches no weight of the source"),
        (["--target-at", "nwe"], "target_at must be a layer with weights, got 'nwe', .* did you mean 'new'"),
        (["--on-mismatch", "grow"], "grow"),
        (["--new-rows", "no_such"], "no_such"),
        (["--seed", "-1"], "seed must be an integer >= 0, got -1"),
    ],
)
def test_what_is_wrong_is_one_line_and_changes_nothing(pair, tmp_path, options, problem):
    before = Folder.of(tmp_path)
    done = load(*pair, *options, code=2)
    assert re.search(problem, done.stderr)
    assert done.stderr.count("\n") == 1
    assert Folder.of(tmp_path) == before


HELD = {
    "a weight less": ({"a": (2, 3), "b": (3, 3)}, {"a": (2, 3), "b": (3, 3), "c": (5, 5), "d": (9, 9), "e": (6, 6)}),
    "another shape": ({"a": (2, 3), "b": (3, 3)}, {"a": (2, 3), "b": (3, 7)}),
    "both": ({"a": (2, 3), "b": (3, 3), "q": (1, 1)}, {"a": (2, 3), "b": (3, 7), "c": (5, 5)}),
    "a longer vocabulary": ({"embedding": (9, 3)}, {"embedding": (12, 3)}),
    "some names": ({"dense": (2, 3), "b": (3, 4), "z": (8, 8)}, {"dense": (2, 3), "c": (3, 3), "d": (4, 4)}),
}


@pytest.mark.parametrize("case", HELD)
def test_every_way_out_that_a_refusal_offers_loads_something(tmp_path, case):
    source, target = (model(tmp_path / name, layers) for name, layers in zip(("s.h5", "t.h5"), HELD[case], strict=True))
    if case == "a longer vocabulary":
        layers = ((9, 3), source), ((12, 3), target)
        for shape, path in layers:
            write_legacy(path, {"embedding": {"embeddings": RNG.random(shape, "f4")}})
    refused = load(source, target, "-n", code=2).stderr
    ways = [way for way in re.findall(r"\((--[^)]*)\)", refused) if "OLD=NEW" not in way]
    assert ways, refused
    for way in ways:
        assert "would change 0 of" not in load(source, target, "-n", *shlex.split(way)).stderr


def test_json_says_what_was_loaded_and_what_was_left(pair):
    source, target = pair
    model(source, {"a": (2, 3)})
    done = load(source, target, "--json", "-n", "--on-missing", "skip")
    record = json.loads(done.stdout)
    assert (record["schema"], [one["path"] for one in record["changed"]]) == (
        "weightkit.report/1", ["a/kernel", "a/bias"],
    )  # fmt: skip
    assert {one["path"]: one["reason"] for one in record["skipped"]} == {
        f"new/{name}": f"it is not in {source}" for name in ("kernel", "bias")
    }
    assert record["notes"][0] == "matched by name: 2 weights, 2 fresh"


def test_new_rows_are_drawn_from_a_seed(tmp_path):
    paths = []
    for name, rows in (("s.h5", 9), ("t.h5", 12)):
        paths.append(write_legacy(tmp_path / name, {"embedding": {"embeddings": RNG.random((rows, 3), "f4")}}))
    options = ["--on-mismatch", "resize", "--new-rows", "random_normal"]
    assert "new rows of 'random_normal' need a seed" in load(*paths, *options, code=2).stderr
    outs = [tmp_path / f"{number}.h5" for number in range(3)]
    for out, seed in zip(outs, ("1", "1", "2"), strict=True):
        load(*paths, *options, "--seed", seed, "-o", out)
    name = "embedding/embedding/embeddings:0"
    tables = [plain_datasets(path)[name] for path in (paths[0], *outs)]
    assert all(np.array_equal(table[:9], tables[0]) for table in tables[1:])
    assert np.array_equal(tables[1], tables[2])
    assert not np.array_equal(tables[1][9:], tables[3][9:])


def test_a_proposal_loads_nothing_and_the_options_that_it_prints_load(tmp_path):
    source = model(tmp_path / "s.h5", {"block1_conv": (2, 3), "block2_conv": (3, 4), "aux": (9, 9), "fc": (4, 5)})
    target = model(tmp_path / "t.h5", {"stage.block1.conv": (2, 3), "stage.block2.conv": (3, 4), "classes": (4, 5)})
    assert "(--suggest) proposes" in load(source, target, code=2).stderr
    before = Folder.of(tmp_path)
    done = load(source, target, "--suggest")
    assert Folder.of(tmp_path) == before
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {row[0]: row[1] for row in rows if row[0]} == {
        "stage.block1.conv": "block1_conv", "stage.block2.conv": "block2_conv", "classes": "fc",
    }  # fmt: skip
    options = shlex.split(" ".join(line for line in done.stderr.splitlines() if line.startswith("--rename")))
    load(source, target, *options)
    assert (kernel(target, "classes"), kernel(target, "stage.block2.conv")) == (
        kernel(source, "fc"), kernel(source, "block2_conv"),
    )  # fmt: skip


@pytest.mark.parametrize("option", [["-r", "a=b"], ["--match", "name"], ["-o", "out.h5"], ["-w", "a"]])
def test_a_proposal_takes_no_options_of_loading(pair, option):
    assert "--suggest must come without options of loading, got --" in load(*pair, "--suggest", *option, code=2).stderr
    assert load(*pair, "--suggest", "-n", "--json").stderr == ""


def test_the_source_is_no_output(pair):
    source, target = pair
    before = digest(source)
    for options in (["--force"], ["--force", "-n"]):
        done = load(source, target, "-o", source, *options, code=2)
        assert "source and output must be two files" in done.stderr
    assert digest(source) == before

"""weightkit restore, as users run it; and what the commands that edit say of backups and links."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from support import DATA, Folder, digest, modules_loaded_by, run_weightkit

GOLDEN = DATA / "keras20_optimizer.h5"
EDITS = {
    "scale": ["scale", "m.h5", "--factor", "0.5"],
    "cast": ["cast", "m.h5", "--to", "float16"],
    "drop": ["drop", "m.h5", "--where", "role:bias"],
    "strip": ["strip", "m.h5"],
}


@pytest.fixture
def model(tmp_path):
    shutil.copyfile(GOLDEN, tmp_path / "m.h5")
    return tmp_path / "m.h5"


def run(*arguments, folder, code=0):
    done = run_weightkit(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    return done


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("verb", EDITS)
def test_an_edit_of_any_verb_is_undone_bit_for_bit(model, verb):
    run(*EDITS[verb], folder=model.parent)
    edited = digest(model)
    done = run("restore", "m.h5", folder=model.parent)
    assert digest(model) == digest(GOLDEN)
    assert digest(model.with_name("m.h5.bak")) == edited
    assert f"the old file is kept as {model}.bak" in done.stderr
    assert done.stdout == f"restore\t{model}\t{model}.bak\n"


def test_what_is_restored_and_holds_no_weights_is_said(model):
    model.with_name("m.h5.bak").write_bytes(b"a page")
    done = run("restore", "m.h5", folder=model.parent)
    assert "what is restored is not a file of weights: " in done.stderr
    assert model.read_bytes() == b"a page"
    assert "not a file of weights" not in run("restore", "m.h5", folder=model.parent).stderr


def test_backups_are_listed_the_latest_first(model):
    for _ in range(2):
        run(*EDITS["scale"], folder=model.parent)
    before = Folder.of(model.parent)
    done = run("restore", "m.h5", "--list", folder=model.parent)
    assert Folder.of(model.parent) == before
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(line[0], line[2], line[3], line[4]) for line in lines] == [
        ("1", str(GOLDEN.stat().st_size), f"{model}.bak.1", ""),
        ("0", str(GOLDEN.stat().st_size), f"{model}.bak", ""),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", line[1]) for line in lines)
    assert "m.h5: 2 backups" in done.stderr
    record = json.loads(run("restore", "m.h5", "--list", "--json", folder=model.parent).stdout)
    assert record["schema"] == "weightkit.backups/1"
    assert [backup["path"] for backup in record["backups"]] == [f"{model}.bak.1", f"{model}.bak"]


def test_a_file_without_backups_has_an_empty_list_and_nothing_to_restore(model):
    assert run("restore", "m.h5", "--list", folder=model.parent).stdout == ""
    refused = run("restore", "m.h5", folder=model.parent, code=2)
    assert refused.stderr == "weightkit: m.h5: it has no backup: there is no m.h5.bak beside it — check the path\n"


@pytest.mark.parametrize("to", ["0", "m.h5.bak"])
def test_to_names_the_backup(model, to):
    for _ in range(2):
        run(*EDITS["scale"], folder=model.parent)
    run("restore", "m.h5", "--to", to, folder=model.parent)
    assert digest(model) == digest(GOLDEN)
    assert names(model.parent) == ["m.h5", "m.h5.bak.1", "m.h5.bak.2"]


def test_a_restore_reports_as_json(model):
    run(*EDITS["scale"], folder=model.parent)
    planned = json.loads(run("restore", "m.h5", "--json", "-n", folder=model.parent).stdout)
    done = json.loads(run("restore", "m.h5", "--json", folder=model.parent).stdout)
    assert list(done) == ["schema", "file", "dry_run", "path", "restored", "kept", "notes"]
    assert (done["schema"], done["file"], done["path"]) == ("weightkit.restore/1", "m.h5", str(model))
    assert done["restored"]["path"] == done["kept"] == f"{model}.bak"
    assert {name for name in done if planned[name] != done[name]} == {"dry_run", "kept"}


def test_a_dry_run_restores_nothing(model):
    run(*EDITS["scale"], folder=model.parent)
    before = Folder.of(model.parent)
    done = run("restore", "m.h5", "-n", folder=model.parent)
    assert "would be restored" in done.stderr
    assert "nothing was changed: this was a dry run" in done.stderr
    assert Folder.of(model.parent) == before


def test_no_backup_keeps_none(model):
    run(*EDITS["scale"], folder=model.parent)
    done = run("restore", "m.h5", "--no-backup", folder=model.parent)
    assert names(model.parent) == ["m.h5"]
    assert "the old file is not kept" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["restore", "m.h5", "--list", "--to", "1"], 2),
        (["restore", "m.h5", "--to", "9"], 2),
        (["restore", "nothing.h5"], 2),
        (["restore", "nowhere/m.h5", "--list"], 2),
        (["restore", "folder"], 3),
        (["restore", "linked.h5"], 2),
    ],
)
def test_an_error_is_one_line_with_its_exit_code_and_nothing_has_happened(model, arguments, code):
    run(*EDITS["scale"], folder=model.parent)
    (model.parent / "folder").mkdir()
    shutil.copyfile(model, model.with_name("linked.h5"))
    (model.parent / "linked.h5.bak").symlink_to("m.h5")
    before = Folder.of(model.parent)
    done = run(*arguments, folder=model.parent, code=code)
    assert done.stderr.startswith("weightkit: ")
    assert done.stderr.count("\n") == 1
    assert Folder.of(model.parent) == before


def test_a_list_of_backups_loads_nothing_heavy(model):
    """A restore does: it looks whether what it restores is a file of weights."""
    run(*EDITS["scale"], folder=model.parent)
    code = "import sys; from weightkit.cli.main import run; run(['restore', '--list', *sys.argv[1:]])"
    assert modules_loaded_by(code, model) == set()


# What edits say


@pytest.mark.parametrize("verb", EDITS)
def test_every_edit_refuses_a_file_with_hard_links_and_parts_them_when_told_to(model, verb):
    other = model.with_name("other.h5")
    os.link(model, other)
    before = Folder.of(model.parent)
    refused = run(*EDITS[verb], folder=model.parent, code=2)
    assert "it has 2 hard links" in refused.stderr
    assert "give --break-links" in refused.stderr
    assert Folder.of(model.parent) == before
    done = run(*EDITS[verb], "--break-links", folder=model.parent)
    assert "it had 2 hard links: the others keep the old content" in done.stderr
    assert digest(other) == digest(GOLDEN) == digest(model.with_name("m.h5.bak"))
    assert digest(model) != digest(GOLDEN)


@pytest.mark.parametrize("verb", EDITS)
def test_every_edit_says_where_a_link_led_what_backups_take_and_what_was_verified(model, verb):
    (model.parent / "links").mkdir()
    model.with_name("links").joinpath("m.h5").symlink_to("../m.h5")
    shutil.copyfile(model, model.with_name("m.h5.bak"))
    done = run(*EDITS[verb], "--verify", folder=model.parent / "links")
    assert f"m.h5 is a symbolic link: {model} is edited, and its backups are next to it" in done.stderr
    assert re.search(r"^2 backups take [0-9.]+ KiB: see `weightkit restore \S+ --list`$", done.stderr, re.MULTILINE)
    assert re.search(
        r"^verified: \d+ changed weights recomputed, \d+ unchanged ones compared", done.stderr, re.MULTILINE
    )
    assert names(model.parent) == ["links", "m.h5", "m.h5.bak", "m.h5.bak.1"]
    assert digest(model.with_name("m.h5.bak.1")) == digest(GOLDEN)

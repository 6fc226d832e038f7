"""The two verbs, plan and edit, on real files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from support import DATA, Folder, digest, half, plain_datasets, write_legacy

from weightkit import Cast, Scale, edit, open_weights, plan
from weightkit.errors import NonFiniteError, RequestError, SelectionError

GOLDEN = DATA / "keras315_nested.keras"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(GOLDEN, path)
    return path


def test_a_plan_changes_nothing_and_equals_what_the_edit_then_does(model):
    before = Folder.of(model.parent)
    planned = plan(model, Scale(0.5), where="encoder", exclude="name:bias")
    assert Folder.of(model.parent) == before
    assert edit(model, Scale(0.5), where="encoder", exclude="name:bias").plan == planned


def test_an_edit_changes_exactly_the_planned_weights(model):
    before = plain_datasets(model)
    changed = {ref.structure for ref in edit(model, Scale(0.5)).plan.chosen}
    for name, values in plain_datasets(model).items():
        expected = half(before[name]) if name in changed else before[name]
        assert values.tobytes() == expected.tobytes(), name


def test_an_edit_in_place_keeps_the_file_as_it_was(model):
    report = edit(model, Scale(0.5))
    assert report.outcome.output == model
    assert report.outcome.backup == model.with_name("model.keras.bak")
    assert digest(report.outcome.backup) == digest(GOLDEN)


def test_backups_are_numbered_and_never_overwritten(model):
    kept = [edit(model, Scale(factor)).outcome.backup for factor in (0.5, 0.5, 0.5)]
    assert [path.name for path in kept] == ["model.keras.bak", "model.keras.bak.1", "model.keras.bak.2"]
    assert len({digest(path) for path in [*kept, model]}) == 4
    assert digest(kept[0]) == digest(GOLDEN)


def test_no_backup_is_kept_where_none_is_wanted(model):
    assert edit(model, Scale(0.5), backup=False).outcome.backup is None
    assert [path.name for path in model.parent.iterdir()] == ["model.keras"]


def test_an_output_leaves_the_file_alone(model):
    before = Folder.of(model.parent)
    report = edit(model, Scale(0.5), output=model.with_name("out.keras"))
    assert (report.outcome.output, report.outcome.backup) == (model.with_name("out.keras"), None)
    report.outcome.output.unlink()
    assert Folder.of(model.parent) == before


def test_the_output_may_be_text(model):
    edit(str(model), Scale(0.5), output=str(model.with_name("out.keras")))
    assert model.with_name("out.keras").exists()


def test_in_place_and_elsewhere_give_the_same_bytes(model):
    edit(model, Scale(0.3), output=model.with_name("out.keras"))
    edit(model, Scale(0.3))
    assert digest(model) == digest(model.with_name("out.keras"))


def test_an_output_is_overwritten_only_when_that_is_said(model):
    out = model.with_name("out.keras")
    out.write_text("precious")
    with pytest.raises(RequestError, match="exists already"):
        edit(model, Scale(0.5), output=out)
    assert out.read_text() == "precious"
    edit(model, Scale(0.5), output=out, overwrite=True)
    assert plain_datasets(out).keys() == plain_datasets(model).keys()


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_that_is_the_input_is_refused_by_any_name(model, overwrite):
    before = Folder.of(model.parent)
    link = model.with_name("link.keras")
    link.symlink_to(model)
    for output in (model, link, model.parent / "." / model.name):
        with pytest.raises(RequestError, match="the output is the input"):
            edit(model, Scale(0.5), output=output, overwrite=overwrite)
    link.unlink()
    assert Folder.of(model.parent) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"act": Scale(3e38)}, NonFiniteError),
        ({"act": Scale(2), "where": "nothing"}, SelectionError),
        ({"act": Scale(2), "where": "kind:optimizer"}, SelectionError),
        ({"act": Scale(2), "output": "/nowhere/at/all.h5"}, RequestError),
    ],
)
def test_an_edit_that_is_refused_leaves_everything_as_it_was(model, arguments, error):
    edit(model, Scale(1e3), backup=False)
    before = Folder.of(model.parent)
    with pytest.raises(error):
        edit(model, **arguments)
    assert Folder.of(model.parent) == before


def readers_of(parent):
    """Reading processes that were started by a process; others of its children are other tests'."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = set()
    for pid in children.read_text().split() if children.exists() else []:
        with contextlib.suppress(OSError):  # gone meanwhile
            if b"hdf5.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


@pytest.mark.own_process
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at processes where Linux lists them")
def test_the_reading_process_of_an_open_store_is_seen(model):
    others = readers_of(os.getpid())  # of stores that other tests, or checks that run beside, hold open
    with open_weights(model):
        assert len(readers_of(os.getpid()) - others) == 1
    assert readers_of(os.getpid()) <= others


@pytest.mark.own_process
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors where Linux lists them")
def test_thirty_edits_in_a_row_leak_no_descriptor_no_process_and_no_temporary(model, tmp_path, monkeypatch):
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    out, huge = tmp_path / "out.keras", write_legacy(tmp_path / "huge.h5", {"d": {"kernel": np.full(9, 3e38, "f4")}})
    before, others = len(list(Path("/proc/self/fd").iterdir())), readers_of(os.getpid())
    for number in range(15):  # two edits each: one is refused half-way now and then, one patches, one builds anew
        edit(model, Scale(2.0 if number % 2 else 0.5), backup=False)
        if number % 10 == 0:
            with pytest.raises(NonFiniteError):
                edit(huge, Scale(2.0), backup=False)
        else:
            edit(model, Cast("float16"), output=out, overwrite=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["huge.h5", "model.keras", "out.keras", "spools"]
    assert list(spools.iterdir()) == []
    assert readers_of(os.getpid()) <= others

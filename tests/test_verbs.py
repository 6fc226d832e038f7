"""Every verb is an edit by its act, on whatever holds weights."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from support import DATA, Folder, digest, half, plain_datasets

import weightkit
from weightkit import Cast, Drop, LoadWeights, Reinitialize, Scale, Strip, edit, open_weights, plan
from weightkit.errors import RequestError

GOLDEN = DATA / "keras315_nested.keras"
OTHER = Path(tempfile.mkdtemp()) / "other.keras"
"""The same model with other values."""
VERBS = {
    "scale": (0.5, Scale(0.5), {}),
    "reinitialize": ("he_normal", Reinitialize("he_normal", seed=7), {"seed": 7}),
    "cast": ("float16", Cast("float16"), {}),
    "drop": ("encoder", Drop(), {}),
    "strip": (None, Strip(), {}),
    "load_weights": (OTHER, LoadWeights(OTHER), {}),
}


@pytest.fixture(scope="module", autouse=True)
def _other():
    edit(GOLDEN, Scale(3), output=OTHER)
    yield
    shutil.rmtree(OTHER.parent)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(GOLDEN, path)
    return path


@pytest.fixture(params=VERBS)
def verb(request):
    return request.param


def by_name(verb, target, **options):
    first, _, more = VERBS[verb]
    given = () if first is None else (first,)
    return getattr(weightkit, verb)(target, *given, **more, **options)


def by_act(verb, target, **options):
    where = {"where": "encoder"} if verb == "drop" else {}
    return edit(target, VERBS[verb][1], **where, **options)


def test_a_verb_writes_what_the_edit_by_its_act_writes(model, verb):
    reports = [
        how(verb, model, output=model.with_name(name)) for how, name in ((by_name, "a.keras"), (by_act, "b.keras"))
    ]
    assert digest(reports[0].output) == digest(reports[1].output)
    assert reports[0].plan == reports[1].plan
    assert digest(model) == digest(GOLDEN)


def test_a_verb_edits_in_place_and_its_report_names_the_file_and_the_backup(model, verb):
    report = by_name(verb, model)
    assert (report.output, report.backup) == (model, model.with_name("model.keras.bak"))
    assert digest(report.backup) == digest(GOLDEN)
    assert digest(model) != digest(GOLDEN)


def test_a_dry_run_reports_and_changes_nothing(model, verb):
    before = Folder.of(model.parent)
    report = by_name(verb, model, dry_run=True)
    assert (report.outcome, report.output, report.backup) == (None, None, None)
    assert Folder.of(model.parent) == before
    assert report.plan == by_name(verb, model).plan


def test_a_dry_run_refuses_what_the_edit_would_refuse(model, verb):
    before = Folder.of(model.parent)
    for dry_run in (True, False):
        with pytest.raises(RequestError, match="the output is the input"):
            by_name(verb, model, output=model, dry_run=dry_run)
    assert Folder.of(model.parent) == before


def test_an_overwrite_without_an_output_is_refused(model, verb):
    with pytest.raises(RequestError, match=r"overwrite \(--force\) must come with an output \(-o\), got none"):
        by_name(verb, model, overwrite=True)


def test_an_open_store_is_edited_and_stays_open(model):
    before = plain_datasets(model)
    with open_weights(model, editable=True) as store:
        report = weightkit.scale(store, 0.5, where="encoder", output=model.with_name("out.keras"))
        assert plan(store, Scale(0.5), where="encoder") == report.plan
        assert store.read(report.plan.chosen[0]).tobytes() == before[report.plan.chosen[0].structure].tobytes()
    for ref in report.plan.chosen:
        assert plain_datasets(report.output)[ref.structure].tobytes() == half(before[ref.structure]).tobytes()


def test_a_store_that_is_open_for_reading_only_is_previewed_and_not_edited(model):
    with open_weights(model) as store:
        assert weightkit.scale(store, 0.5, dry_run=True).plan.chosen
        with pytest.raises(RequestError, match="open for reading only"):
            weightkit.scale(store, 0.5)


def test_names_are_borrowed_before_a_store_is_open(model):
    with open_weights(model) as store, pytest.raises(RequestError, match="like must be left out for an open store"):
        weightkit.scale(store, 0.5, like=GOLDEN)


@pytest.mark.parametrize("act", [Scale(0.5), Reinitialize(seed=7), Cast("float16"), Drop(), Strip()])
def test_an_act_prints_as_what_to_type(act):
    assert eval(repr(act), vars(weightkit) | {type(act).__name__: type(act)}) == act  # noqa: S307

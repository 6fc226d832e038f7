"""A plan prints what it would do, and reports what it did."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from support import DATA, plain_datasets, write_legacy

from weightkit import Scale, edit, plan
from weightkit.access.edits.plan import Report
from weightkit.access.store import Outcome

NESTED = DATA / "keras315_nested.keras"


def test_a_printed_plan_has_a_line_for_each_weight_that_changes_and_each_reason():
    printed = str(plan(NESTED, Scale(0.5))).splitlines()
    assert printed[0] == f"Scale(0.5) changes 10 of 22 weights (100 bytes) of {NESTED}"
    assert "  encoder/inner/deep/kernel  (2, 2)  float32  parameter" in printed
    assert printed[-2:] == [
        "  unchanged: 10, optimizer state",
        "  unchanged: 2, statistic, measured from data",
    ]
    assert len(printed) == 1 + 10 + 2


def test_a_printed_plan_says_what_the_owner_should_know():
    assert str(plan(NESTED, Scale(0))).splitlines()[-1].startswith("  note: the factor is 0")


def test_names_from_the_file_are_escaped_when_a_plan_is_printed(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"a\nb\x1b[31m": {"kernel": np.ones(2, np.float32)}})
    printed = str(plan(path, Scale(2)))
    assert len(printed.splitlines()) == 2
    assert "a\\nb\\x1b[31m/kernel" in printed


def test_the_report_of_an_edit_is_json_and_accounts_for_every_weight(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(NESTED, path)
    record = edit(path, Scale(0.5)).to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    changed = [weight["structure"] for weight in record["changed"]]
    left = [weight["structure"] for weight in record["skipped"]]
    assert sorted(changed + left) == sorted(plain_datasets(path))
    assert all(weight["reason"] for weight in record["skipped"])
    assert record["bytes"] == sum(weight["bytes"] for weight in record["changed"]) == 100
    assert (record["schema"], record["file"], record["transform"]) == ("weightkit.report/1", str(path), "Scale(0.5)")
    assert (record["output"], record["backup"]) == (str(path), f"{path}.bak")
    assert record["dry_run"] is False
    assert record["notes"] == []


def test_each_changed_weight_of_a_report_has_its_addresses_and_measures(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copyfile(NESTED, path)
    weights = {weight["path"]: weight for weight in edit(path, Scale(0.5)).to_dict()["changed"]}
    assert weights["dense_1/kernel"] == {
        "structure": "layers/dense_1/vars/0",
        "path": "dense_1/kernel",
        "shape": [2, 1],
        "dtype": "float32",
        "kind": "parameter",
        "bytes": 8,
    }


def test_a_report_tells_new_infinities_at_their_weight(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([6e4], "f2"), "bias": np.array([1], "f2")}})
    kernel, bias = edit(path, Scale(2), allow_nonfinite=True).to_dict()["changed"]
    assert kernel["new_infinities"] == 1
    assert kernel.keys() - bias.keys() == {"new_infinities"}


def test_a_report_without_an_outcome_is_a_dry_run():
    record = Report(plan(NESTED, Scale(0.5)), None).to_dict()
    assert (record["dry_run"], record["output"], record["backup"]) == (True, None, None)
    assert Report(plan(NESTED, Scale(0.5)), Outcome()).to_dict()["dry_run"] is False


def test_reasons_are_counted_the_most_frequent_first():
    assert list(plan(NESTED, Scale(0.5)).reasons().items()) == [
        ("optimizer state", 10),
        ("statistic, measured from data", 2),
    ]


@pytest.mark.parametrize("factor", [0.5, 2])
def test_two_plans_of_the_same_edit_are_equal(factor):
    assert plan(NESTED, Scale(factor)) == plan(NESTED, Scale(factor))
    assert plan(NESTED, Scale(factor)) != plan(NESTED, Scale(3))


def test_a_big_endian_weight_is_planned_like_any_other(tmp_path):
    path = write_legacy(tmp_path / "m.h5", {"d": {"kernel": np.array([1.5, -2], ">f4")}})
    edit(path, Scale(0.5))
    with h5py.File(path) as file:
        assert file["d/d/kernel:0"].dtype.str == ">f4"
        assert file["d/d/kernel:0"][()].tolist() == [0.75, -1.0]
